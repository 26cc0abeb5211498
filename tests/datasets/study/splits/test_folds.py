"""Folds that are balanced by tissue type, site and size; MSTT-199's; and random splits."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from datasets.errors import RejectedInput
from datasets.study.splits.folds import balanced_folds, mstt_199_folds, random_splits, stratified_folds
from datasets.study.splits.split_case import SplitCase, size_tertiles, strata_of
from tests.datasets.study.splits.cohorts import collection


@st.composite
def cohorts(draw: st.DrawFn) -> list[SplitCase]:
    """Up to 24 cases of up to 12 patients, some of whom have several."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 11),
                st.sampled_from(("fat", "nerve", "unknown")),
                st.sampled_from(("arm", "leg", "")),
                st.none() | st.floats(0.1, 1000),
            ),
            min_size=2,
            max_size=24,
        )
    )
    return [SplitCase(f"C{number}", f"P{row[0]}", row[1], row[2], row[3]) for number, row in enumerate(rows)]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(cases=cohorts(), folds=st.integers(2, 6), seed=st.integers(0, 2**32 - 1), random=st.randoms())
def test_whatever_the_cohort(cases: list[SplitCase], folds: int, seed: int, random) -> None:
    patient_of = {case.case: case.patient for case in cases}
    if len(set(patient_of.values())) < folds:
        with pytest.raises(RejectedInput, match="folds-patients"):
            balanced_folds(cases, folds=folds, seed=seed)
        return
    found = balanced_folds(cases, folds=folds, seed=seed)
    assert len(found) == folds
    assert all(found)
    assert sorted(code for fold in found for code in fold) == sorted(patient_of)
    owners = [{patient_of[code] for code in fold} for fold in found]
    assert sum(map(len, owners)) == len(set(patient_of.values()))
    assert balanced_folds(random.sample(cases, len(cases)), folds=folds, seed=seed) == found


def _apart(cases: list[SplitCase], found: tuple[tuple[str, ...], ...]) -> Counter[str]:
    """How far the numbers of cases of each stratum are apart between folds."""
    strata = {case.case: own for case, own in zip(cases, strata_of(cases), strict=True)}
    counts = [Counter(name for code in fold for name in strata[code]) for fold in found]
    names = {name for own in strata.values() for name in own}
    return Counter({name: max(each[name] for each in counts) - min(each[name] for each in counts) for name in names})


@pytest.mark.parametrize("seed", range(8))
def test_every_stratum_is_spread(seed: int) -> None:
    """Tissue types of 10, 9, 9, 3, 2 and 1 cases, three sites and thirds of size: hardly ever more than one apart.

    scikit-learn's StratifiedGroupKFold on tissue types alone leaves sites and sizes two to four apart.
    """
    cases = collection()
    found = balanced_folds(cases, folds=5, seed=seed)
    apart = _apart(cases, found)
    assert apart["all"] == 1  # 34 cases
    assert max(apart.values()) <= 2
    assert sum(value > 1 for value in apart.values()) <= 1
    assert apart["type nerve"] == apart["type vascular"] == 1  # three and two patients, no two of them in one fold
    alone = _apart(cases, stratified_folds(cases, folds=5, seed=seed))
    assert sum(value**2 for value in apart.values()) < sum(value**2 for value in alone.values())


def test_patients_of_several_cases_stay_together() -> None:
    cases = collection(a_patient=2)
    patient_of = {case.case: case.patient for case in cases}
    found = balanced_folds(cases, folds=5, seed=3)
    assert sum(len({patient_of[code] for code in fold}) for fold in found) == 17
    assert _apart(cases, found)["all"] <= 2


def test_another_seed_gives_other_folds() -> None:
    assert len({balanced_folds(collection(), folds=5, seed=seed) for seed in range(5)}) > 1


def test_sizes_fall_into_thirds() -> None:
    cases = [
        SplitCase(f"C{number}", f"P{number}", "fat", size_ml=size) for number, size in enumerate((9, 1, 5, 2, 8, 4))
    ]
    assert size_tertiles(cases) == ["large", "small", "middle", "small", "large", "middle"]
    assert size_tertiles([SplitCase("C", "P", "fat"), *cases])[0] == "unknown"


def test_earlier_folds_are_drawn_again() -> None:
    """As the one rule of earlier versions drew them: trainings that were stopped then, and releases, have these."""
    cases = [SplitCase(f"C{n:02}", f"P{n * 7 % 9}", ("fat", "nerve", "myxoid")[n % 3], size_ml=n) for n in range(14)]
    assert stratified_folds(cases, folds=4, seed=7) == (
        ("C01", "C08", "C10"),
        ("C00", "C04", "C09", "C13"),
        ("C02", "C06", "C07", "C11"),
        ("C03", "C05", "C12"),
    )


@pytest.mark.parametrize("count", [5, 12, 34, 199])
def test_the_folds_of_mstt_199(count: int) -> None:
    """Its repository: KFold(5, shuffle=True, random_state=42) over the patients."""
    cases = [SplitCase(f"F{number:03d}", f"F{number:03d}", "fat") for number in reversed(range(count))]
    names = np.array(sorted(case.patient for case in cases))
    expected = [names[test].tolist() for _, test in KFold(5, shuffle=True, random_state=42).split(names)]
    assert [list(fold) for fold in mstt_199_folds(cases)] == expected


def test_the_folds_of_mstt_199_by_hand() -> None:
    """NumPy's RandomState(42) shuffles twelve so; the first two folds have a patient more."""
    cases = [SplitCase(f"C{number:02d}", f"P{number:02d}", "fat") for number in range(12)]
    numbers = [[0, 9, 10], [2, 5, 8], [1, 11], [4, 7], [3, 6]]
    assert mstt_199_folds(cases) == tuple(tuple(f"C{number:02d}" for number in fold) for fold in numbers)
    twice = [*cases, SplitCase("C99", "P09", "fat")]
    assert mstt_199_folds(twice)[0] == ("C00", "C09", "C10", "C99")


def test_more_random_splits_than_anybody_trains_are_refused() -> None:
    with pytest.raises(RejectedInput, match="split-settings"):
        random_splits([SplitCase("a", "a", "fat"), SplitCase("b", "b", "fat")], splits=10**6, test_share=0.5, seed=0)


@pytest.mark.parametrize(("share", "count"), [(0.2, 7), (0.5, 17), (1 / 3, 11), (0.25, 8)])
def test_random_splits_have_their_share(share: float, count: int) -> None:
    cases = collection()
    found = random_splits(cases, splits=4, test_share=share, seed=11)
    assert len(found) == len(set(found)) == 4
    assert {abs(len(test) - count) <= 1 for test in found} == {True}
    for test in found:
        kinds = Counter(case.tissue_type for case in cases if case.case in test)
        assert abs(kinds["fat"] - 10 * share) < 2
    assert found == random_splits(cases[::-1], splits=4, test_share=share, seed=11)
    assert found[1:] == random_splits(cases, splits=3, test_share=share, seed=12)


def test_random_splits_keep_patients_together() -> None:
    cases = collection(a_patient=2)
    patient_of = {case.case: case.patient for case in cases}
    for test in random_splits(cases, splits=5, test_share=0.3, seed=0):
        tested = {patient_of[code] for code in test}
        assert not tested & {case.patient for case in cases if case.case not in test}


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5, 0.001, float("nan")])
def test_a_share_that_leaves_a_side_empty_is_refused(share: float) -> None:
    with pytest.raises(RejectedInput, match="split-share"):
        random_splits(collection(), splits=1, test_share=share, seed=0)


@pytest.mark.parametrize("folds", [0, 1, 6])
def test_too_few_patients_are_refused(folds: int) -> None:
    cases = [SplitCase(f"C{number}", f"P{number % 5}", "fat") for number in range(20)]
    with pytest.raises(RejectedInput, match=r"folds-patients|split-settings"):
        balanced_folds(cases, folds=folds, seed=0)
    with pytest.raises(RejectedInput, match="folds-patients"):
        mstt_199_folds([case for case in cases if case.patient != "P0"])
