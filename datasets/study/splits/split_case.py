"""SplitCase: a case as a split knows it, and what it is balanced by."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.errors import RejectedInput

LARGEST_SEED = 2**32 - 1
UNKNOWN = "unknown"

Folds = tuple[tuple[str, ...], ...]
"""The codes of the cases that each model is tried on, sorted within each."""

_TERTILES = ("small", "middle", "large")


@dataclass(frozen=True)
class SplitCase:
    """A case with its patient and what splits are balanced by.

    Args:
        case: The case's code.
        patient: The patient's pseudonymous code; cases of one patient stay together.
        tissue_type: Tissue type; ``unknown`` where nobody said it.
        site: Anatomical site; what stands behind a comma, such as the side, does not count. Empty where not known.
        size_ml: Volume of the mask in millilitres; None where not known.
        vendor: Of the scanner (`datasets.study.splits.vendors`); empty where not known.
    """

    case: str
    patient: str
    tissue_type: str
    site: str = ""
    size_ml: float | None = None
    vendor: str = ""


def ordered_cases(cases: Sequence[SplitCase]) -> list[SplitCase]:
    """The cases by code, so that the order in which they come has no influence.

    Raises:
        RejectedInput: A case is named twice (``split-case-twice``).
    """
    repeated = sorted(code for code, times in Counter(case.case for case in cases).items() if times > 1)
    if repeated:
        raise RejectedInput(
            "split-case-twice",
            f"Cases named more than once: {', '.join(repeated)}.",
            remedy="Name each case once.",
        )
    return sorted(cases, key=lambda case: case.case)


def size_tertiles(cases: Sequence[SplitCase]) -> list[str]:
    """Whether each case's mask is among the small, the middle or the large third of these cases."""
    known = [case.size_ml for case in cases if case.size_ml is not None]
    limits = np.quantile(known, (1 / 3, 2 / 3)) if known else np.zeros(2)
    return [UNKNOWN if case.size_ml is None else _TERTILES[int((limits < case.size_ml).sum())] for case in cases]


def strata_of(cases: Sequence[SplitCase]) -> list[tuple[str, ...]]:
    """The strata that each case belongs to: its tissue type, its site, the tertile of its size, and that of all."""
    return [
        (f"type {case.tissue_type}", f"site {_site(case)}", f"size {tertile}", "all")
        for case, tertile in zip(cases, size_tertiles(cases), strict=True)
    ]


def _site(case: SplitCase) -> str:
    return case.site.partition(",")[0].strip().casefold() or UNKNOWN
