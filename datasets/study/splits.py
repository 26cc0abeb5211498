"""Cross-validation folds: every patient in one fold, every fold with a like mix of tissue types, from one seed."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level

LARGEST_SEED = 2**32 - 1

Folds = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, order=True)
class SplitCase:
    """A case with its patient and tissue type, for a split.

    Args:
        case: The case's code.
        patient: The patient's pseudonymous code; cases of one patient stay together.
        tissue_type: Tissue type, by which the folds are balanced.
    """

    case: str
    patient: str
    tissue_type: str


def stratified_folds(cases: Sequence[SplitCase], *, folds: int, seed: int) -> Folds:
    """Test sets of a stratified, patient-grouped cross-validation.

    Fewer folds come back where there are fewer patients than `folds`, or where that many folds cannot all be filled;
    `fold_findings` says so in words. Where no tissue type has a case for every fold, tissue types are not balanced.

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
    _check(cases, folds, seed)
    ordered = sorted(cases)
    patients = {case.patient for case in ordered}
    types = [case.tissue_type for case in ordered]
    for count in range(min(folds, len(patients)), 1, -1):
        for strata in (types, ["any"] * len(ordered)):
            found = _folds_of(ordered, strata, count, seed=seed)
            if len(found) == count:
                return found
    return (tuple(case.case for case in ordered),) if ordered else ()


def fold_findings(cases: Sequence[SplitCase], found: Folds, *, folds: int) -> tuple[Finding, ...]:
    """Findings about the folds: fewer than requested, or tissue types that some folds lack.

    Args:
        cases: The cases that were split.
        found: Their folds by `stratified_folds`.
        folds: Number of folds requested.
    """
    findings = []
    if len(found) < folds:
        findings.append(
            Finding(
                Level.WARNING,
                "folds-lowered",
                f"Expected {folds} folds, got {len(found)} of {len({case.patient for case in cases})} patients.",
                remedy="Add patients, or read the results as those of fewer folds.",
            )
        )
    type_of = {case.case: case.tissue_type for case in cases}
    seen = Counter(tissue_type for fold in found for tissue_type in {type_of[code] for code in fold})
    findings += [
        Finding(
            Level.INFO,
            "stratum-thin",
            f"Only {seen[tissue_type]} of {len(found)} folds hold cases of this tissue type.",
            remedy="Report this tissue type over all folds together.",
            subject=tissue_type,
        )
        for tissue_type in sorted(seen)
        if seen[tissue_type] < len(found)
    ]
    return tuple(findings)


def _check(cases: Sequence[SplitCase], folds: int, seed: int) -> None:
    repeated = sorted(code for code, times in Counter(case.case for case in cases).items() if times > 1)
    if repeated:
        raise RejectedInput(
            "split-case-twice",
            f"Cases named more than once: {', '.join(repeated)}.",
            remedy="Name each case once.",
        )
    if folds < 1 or not 0 <= seed <= LARGEST_SEED:
        raise RejectedInput(
            "split-settings",
            f"Expected at least 1 fold and a seed from 0 to {LARGEST_SEED}, got {folds} and {seed}.",
            remedy="Give another number of folds or another seed.",
        )


def _folds_of(ordered: list[SplitCase], strata: list[str], count: int, *, seed: int) -> Folds:
    """The folds that scikit-learn fills; fewer than `count` (or none) where it cannot fill them all."""
    from sklearn.model_selection import StratifiedGroupKFold  # over a second to import

    if max(Counter(strata).values()) < count:  # scikit-learn refuses a split where no stratum reaches every fold
        return ()
    splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # fold_findings says it by name
        tests = [test for _, test in splitter.split(ordered, strata, [case.patient for case in ordered])]
    return tuple(tuple(ordered[index].case for index in test) for test in tests if len(test))
