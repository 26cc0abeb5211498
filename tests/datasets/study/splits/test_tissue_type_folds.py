"""Folds: patients stay together, every case is in exactly one, and the same seed gives the same folds."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.errors import RejectedInput
from datasets.study.splits.findings import fold_findings
from datasets.study.splits.folds import stratified_folds
from datasets.study.splits.split_case import SplitCase

TYPES = ("fat", "fibrous", "myxoid", "nerve", "vascular")


def _cases(count: int, *, patients: int | None = None) -> list[SplitCase]:
    return [
        SplitCase(f"C{number:04d}", f"P{number % (patients or count):04d}", TYPES[number % len(TYPES)])
        for number in range(count)
    ]


@st.composite
def cohorts(draw: st.DrawFn) -> list[SplitCase]:
    """Up to 24 cases of up to 12 patients; a patient's cases may be of several tissue types."""
    rows = draw(st.lists(st.tuples(st.integers(0, 11), st.sampled_from(TYPES)), max_size=24))
    return [SplitCase(f"C{number}", f"P{patient}", kind) for number, (patient, kind) in enumerate(rows)]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    cases=cohorts(), folds=st.integers(1, 8), seed=st.integers(0, 2**32 - 1), random=st.randoms(use_true_random=False)
)
def test_whatever_the_cohort(cases: list[SplitCase], folds: int, seed: int, random) -> None:
    found = stratified_folds(cases, folds=folds, seed=seed)
    patient_of = {case.case: case.patient for case in cases}
    assert sorted(code for fold in found for code in fold) == sorted(patient_of)
    owners = [{patient_of[code] for code in fold} for fold in found]
    assert sum(map(len, owners)) == len(set(patient_of.values()))
    assert all(found)
    assert len(found) <= min(folds, max(1, len(set(patient_of.values()))))
    assert all(list(fold) == sorted(fold) for fold in found)
    shuffled = random.sample(cases, len(cases))
    assert stratified_folds(shuffled, folds=folds, seed=seed) == found
    lowered = [finding for finding in fold_findings(cases, found, folds=folds) if finding.code == "folds-lowered"]
    assert bool(lowered) == (len(found) < folds)


def test_tissue_types_are_balanced() -> None:
    """Fifty single-case patients, ten of each type, five folds: two of each type in every fold."""
    cases = _cases(50)
    kind = {case.case: case.tissue_type for case in cases}
    found = stratified_folds(cases, folds=5, seed=0)
    assert [Counter(kind[code] for code in fold) for fold in found] == [dict.fromkeys(TYPES, 2)] * 5
    assert fold_findings(cases, found, folds=5) == ()


def test_another_seed_gives_other_folds() -> None:
    cases = _cases(50)
    assert len({stratified_folds(cases, folds=5, seed=seed) for seed in range(5)}) > 1


@pytest.mark.parametrize(("count", "patients", "expected"), [(0, 1, 0), (1, 1, 1), (4, 1, 1), (2, 2, 2), (5, 5, 5)])
def test_few_cases(count: int, patients: int, expected: int) -> None:
    """Five cases of five tissue types, as in the phantom cohort, still make five folds."""
    assert len(stratified_folds(_cases(count, patients=patients), folds=5, seed=0)) == expected


def test_thin_tissue_types_are_named() -> None:
    cases = [*_cases(10, patients=10), SplitCase("C9999", "P9999", "rare")]
    findings = fold_findings(cases, stratified_folds(cases, folds=5, seed=0), folds=5)
    assert ("stratum-thin", "rare") in {(finding.code, finding.subject) for finding in findings}


@pytest.mark.parametrize(("folds", "seed"), [(0, 0), (-1, 0), (5, -1), (5, 2**32)])
def test_settings_out_of_range_are_refused(folds: int, seed: int) -> None:
    with pytest.raises(RejectedInput, match="split-settings"):
        stratified_folds(_cases(5), folds=folds, seed=seed)


def test_a_case_twice_is_refused() -> None:
    with pytest.raises(RejectedInput, match="split-case-twice"):
        stratified_folds([*_cases(5), _cases(1)[0]], folds=2, seed=0)
