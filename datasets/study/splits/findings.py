"""What is to be said of a split: fewer folds than asked for, tissue types that are thin, or that one patient has."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from datasets.finding import Finding, Level
from datasets.study.splits.split_case import UNKNOWN, Folds, SplitCase


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


def single_patient_findings(cases: Sequence[SplitCase]) -> tuple[Finding, ...]:
    """A finding for each tissue type that only one patient has: a model that is tried on it has learned from none."""
    patients: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        patients[case.tissue_type].add(case.patient)
    return tuple(
        Finding(
            Level.WARNING,
            "stratum-single",
            "Only one patient has this tissue type: the model that is tried on it has learned from none.",
            remedy="Add patients of it, or report it apart.",
            subject=tissue_type,
        )
        for tissue_type in sorted(patients)
        if len(patients[tissue_type]) == 1 and tissue_type != UNKNOWN
    )
