"""Folds, each patient in one: balanced by tissue type, site and size; as earlier versions drew them; as MSTT-199's."""

import warnings
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from datasets.errors import RejectedInput
from datasets.study.splits.evening import evened
from datasets.study.splits.split_case import LARGEST_SEED, Folds, SplitCase, ordered_cases, strata_of

MSTT_199_FOLDS, MSTT_199_SEED = 5, 42
"""Number of folds and seed of MSTT-199."""

MOST_SPLITS = 1000
"""Random splits; each is one training, and all are drawn before the first begins."""

_FINEST = 20
"""Into how many parts of a split a share of patients is rounded at most."""


def balanced_folds(cases: Sequence[SplitCase], *, folds: int, seed: int) -> Folds:
    """Test sets of a cross-validation whose tissue types, sites, sizes and numbers of cases are alike in all folds.

    Each of the three is balanced by itself: in small collections hardly two cases have all three in common. What has
    fewer cases than there are folds is spread over as many folds as it has patients.

    Args:
        cases: In any order; the order has no influence.
        folds: Number of folds, at least 2.
        seed: 0 to 2**32 - 1; the same cases and seed give the same folds.

    Returns:
        Case codes fold by fold, sorted within each; every case is in exactly one.

    Raises:
        RejectedInput: A case is named twice, `seed` is out of range, or there are fewer patients than folds
            (``folds-patients``).

    Source:
        scikit-learn, StratifiedGroupKFold, with one row for each stratum of a case, then `evened`.
    """
    _require_settings(folds, seed)
    ordered = ordered_cases(cases)
    require_patients(ordered, folds)
    strata = strata_of(ordered)
    found = _folds_of(ordered, strata, folds, seed=seed)
    if len(found) < folds:  # patients whose strata leave folds empty
        found = _folds_of(ordered, [("all",)] * len(ordered), folds, seed=seed)
    return evened(ordered, strata, found)


def stratified_folds(cases: Sequence[SplitCase], *, folds: int, seed: int) -> Folds:
    """Test sets of a patient-grouped cross-validation that is balanced by tissue type alone: those of releases.

    Trainings of earlier versions had these folds, too, with one tissue type for all cases. Fewer folds come back where
    there are fewer patients than `folds`, or where that many folds cannot all be filled; `fold_findings` says so in
    words. Where no tissue type has a case for every fold, tissue types are not balanced.

    Args:
        cases: In any order; the order has no influence.
        folds: Number of folds requested, at least 1.
        seed: 0 to 2**32 - 1; the same cases and seed give the same folds.

    Returns:
        Case codes fold by fold, sorted within each; no fold is empty, every case is in exactly one. One fold holds
        all where there is a single patient; no cases, no folds.

    Raises:
        RejectedInput: A case is named twice, or `folds` or `seed` is out of range.

    Source:
        scikit-learn, StratifiedGroupKFold.
    """
    _require_settings(folds, seed)
    ordered = ordered_cases(cases)
    patients = {case.patient for case in ordered}
    types = [(case.tissue_type,) for case in ordered]
    for count in range(min(folds, len(patients)), 1, -1):
        for strata in (types, [("any",)] * len(ordered)):
            found = _folds_of(ordered, strata, count, seed=seed)
            if len(found) == count:
                return found
    return (tuple(case.case for case in ordered),) if ordered else ()


def mstt_199_folds(cases: Sequence[SplitCase]) -> Folds:
    """The folds of MSTT-199: patients in the order of their codes, shuffled; nothing is balanced.

    Raises:
        RejectedInput: A case is named twice, or there are fewer than five patients (``folds-patients``).

    Source:
        Reasat/mstt@7512247: scikit-learn's KFold(5, shuffle=True, random_state=42) over patients.
    """
    from sklearn.model_selection import KFold  # over a second to import

    ordered = ordered_cases(cases)
    require_patients(ordered, MSTT_199_FOLDS)
    patients = sorted({case.patient for case in ordered})
    splitter = KFold(MSTT_199_FOLDS, shuffle=True, random_state=MSTT_199_SEED)
    tests = [{patients[index] for index in test} for _, test in splitter.split(patients)]
    return tuple(tuple(case.case for case in ordered if case.patient in test) for test in tests)


def random_splits(cases: Sequence[SplitCase], *, splits: int, test_share: float, seed: int) -> Folds:
    """Test sets of repeated random splits, balanced as `balanced_folds`; a patient's cases are on one side.

    Test sets overlap: a case may be in several, or in none.

    Args:
        cases: In any order; the order has no influence.
        splits: How often cases are split.
        test_share: Share of the test sets, 0 to 1; rounded to a fraction of as many parts as there are patients,
            twenty at most.
        seed: 0 to 2**32 - 1, of the first split.

    Raises:
        RejectedInput: A case is named twice, `seed` is out of range, there are more than `MOST_SPLITS`
            (``split-settings``), a side would be empty (``split-share``), or there are fewer than two patients
            (``folds-patients``).
    """
    _require_settings(splits, seed)
    if splits > MOST_SPLITS:
        raise RejectedInput(
            "split-settings",
            f"Expected at most {MOST_SPLITS} random splits, got {splits}.",
            remedy="Give a smaller --folds.",
        )
    ordered = ordered_cases(cases)
    require_patients(ordered, 2)
    patients = len({case.patient for case in ordered})
    share = Fraction(test_share if 0 < test_share < 1 else 0).limit_denominator(min(_FINEST, patients))
    if not 0 < share < 1:
        raise RejectedInput(
            "split-share",
            f"Expected a share that leaves patients on both sides, got {test_share:g} of {patients} patients.",
            remedy="Give a share between 0 and 1, such as 0.2.",
        )
    found = []
    for number in range(splits):
        parts = balanced_folds(ordered, folds=share.denominator, seed=(seed + number) % (LARGEST_SEED + 1))
        found.append(tuple(sorted(code for part in parts[: share.numerator] for code in part)))
    return tuple(found)


def require_patients(cases: Sequence[SplitCase], folds: int) -> None:
    """Refuses fewer than two folds, or fewer patients than folds.

    Raises:
        RejectedInput: ``folds-patients``.
    """
    patients = len({case.patient for case in cases})
    if folds < 2 or patients < folds:
        raise RejectedInput(
            "folds-patients",
            f"Expected at least 2 folds and a patient for each, got {folds} folds and {patients} patient(s).",
            remedy="Ask for fewer folds, add patients, or leave --folds out for one final model.",
        )


def _require_settings(folds: int, seed: int) -> None:
    if folds < 1 or not 0 <= seed <= LARGEST_SEED:
        raise RejectedInput(
            "split-settings",
            f"Expected at least 1 fold and a seed from 0 to {LARGEST_SEED}, got {folds} and {seed}.",
            remedy="Give another number of folds or another seed.",
        )


def _folds_of(ordered: Sequence[SplitCase], strata: Sequence[tuple[str, ...]], count: int, *, seed: int) -> Folds:
    """The folds that scikit-learn fills; fewer than `count` (or none) where it cannot fill them all."""
    from sklearn.model_selection import StratifiedGroupKFold  # over a second to import

    # A case has a row for each of its strata; as one patient's, they stay together.
    rows = [(case, stratum) for case, own in zip(ordered, strata, strict=True) for stratum in own]
    names = [stratum for _, stratum in rows]
    if max(Counter(names).values()) < count:  # scikit-learn refuses a split where no stratum reaches every fold
        return ()
    splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # findings say it by name
        tests = [test for _, test in splitter.split(rows, names, [case.patient for case, _ in rows])]
    return tuple(tuple(sorted({rows[index][0].case for index in test})) for test in tests if len(test))
