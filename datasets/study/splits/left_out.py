"""Leaving one out: all cases of a tissue type, or of a scanner's vendor, are tried on a model that saw none."""

from collections.abc import Callable, Sequence

from datasets.errors import RejectedInput
from datasets.study.splits.split_case import UNKNOWN, Folds, SplitCase, ordered_cases


def leave_one_type_out(cases: Sequence[SplitCase]) -> Folds:
    """One test set for each tissue type, in the order of their names.

    Raises:
        RejectedInput: A case is named twice, has no tissue type (``split-type-unknown``), or there are not two of them
            with patients of their own (``split-one-group``).
    """
    remedy = "Say them in the column tissue_type of --case-table or on the cases' pages, or leave the cases out."
    return _one_out(cases, lambda case: case.tissue_type, "tissue type", "split-type-unknown", remedy=remedy)


def leave_one_vendor_out(cases: Sequence[SplitCase]) -> Folds:
    """One test set for each vendor of a scanner, in the order of their names.

    Raises:
        RejectedInput: A case is named twice, has no vendor (``split-vendor-unknown``), or there are not two of them
            with patients of their own (``split-one-group``).
    """
    remedy = "Say them in the column vendor of --case-table, or leave the cases out."
    return _one_out(cases, lambda case: case.vendor, "scanner's vendor", "split-vendor-unknown", remedy=remedy)


def learned_from(cases: Sequence[SplitCase], tested: Sequence[str]) -> list[SplitCase]:
    """The cases that a model may learn from which is tried on some: those of no patient who is among these."""
    patients = {case.patient for case in cases if case.case in set(tested)}
    return [case for case in cases if case.patient not in patients]


def _one_out(
    cases: Sequence[SplitCase], group_of: Callable[[SplitCase], str], word: str, code: str, *, remedy: str
) -> Folds:
    ordered = ordered_cases(cases)
    if unknown := [case.case for case in ordered if group_of(case) in ("", UNKNOWN)]:
        raise RejectedInput(
            code,
            f"The {word} of {len(unknown)} case(s) is not known: {', '.join(unknown[:10])}"
            f"{' …' if len(unknown) > 10 else ''}.",
            remedy=remedy,
        )
    groups = sorted({group_of(case) for case in ordered})
    found = tuple(tuple(case.case for case in ordered if group_of(case) == group) for group in groups)
    if len(groups) < 2 or not all(learned_from(ordered, tested) for tested in found):
        raise RejectedInput(
            "split-one-group",
            f"Leaving one {word} out needs two or more with patients of their own, got {', '.join(groups) or 'none'}.",
            remedy="Choose another --split, or add patients.",
        )
    return found
