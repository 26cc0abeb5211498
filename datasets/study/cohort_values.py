"""Finds the tumour's value in a cohort's masks, the same in every case: by a person, the dataset or a plain mask."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.formats.nifti import read_values
from datasets.image.mask import TUMOUR
from datasets.labels.label_values import LABEL_LIST_NAME, PLAIN_VALUES, read_label_list, region_called, tumour_value
from datasets.labels.stored_values import MOST_LABEL, MOST_VALUES, labels_in
from datasets.study.cohort import Cohort

OTHER_VALUES = "cohort-other-values"
"""Code of the finding that masks hold other values beside the tumour's."""

LabelsByCase = dict[str, tuple[int, ...] | None]
"""Labels of each case's mask; None where they are more than a handful."""

_SAY = f"Say which is the tumour with --mask-value, or name the labels in {LABEL_LIST_NAME} at the top of the folder."
_MOST_LISTED = 5


def with_mask_values(cohort: Cohort, folder: Path, mask_value: str = "") -> Cohort:
    """The cohort, each case with the values of its tumour. Reads every mask.

    Args:
        cohort: From `read_cohort`.
        folder: Its folder; may hold a `dataset.json` that names the labels.
        mask_value: A value, several joined by commas (they count as one region), or a label's name; empty for none.

    Returns:
        The cohort; a finding says which other values its masks hold.

    Raises:
        RejectedInput: ``cohort-mask-values`` (nothing says which of several values is the tumour, or a plain one
            differs from case to case), ``cohort-value-said`` (`mask_value` is no value or no label's name),
            ``cohort-value-absent`` (no mask holds it) or ``label-list``.
    """
    seen = {case.case: _labels_of(case.mask) for case in cohort.cases}
    meant = _meant(mask_value, folder, seen)
    drawn = [labels for labels in seen.values() if labels != ()]
    if drawn and not any(labels is None or set(meant) & set(labels) for labels in drawn):
        raise RejectedInput(
            "cohort-value-absent",
            f"Expected masks with value {_joined(meant)}, got {_counted(seen)}.",
            remedy="Give a value that the masks hold.",
        )
    cases = tuple(replace(case, values=meant) for case in cohort.cases)
    return replace(cohort, cases=cases, findings=(*cohort.findings, *_others(meant, seen)))


def _labels_of(mask: Path) -> tuple[int, ...] | None:
    """The labels of a mask; () for one that cannot be read or is no label map, which is refused where it is loaded."""
    try:
        values = read_values(mask)
    except RejectedInput:
        return ()
    if values is None:
        return None
    return labels_in(values) or ()


def _meant(mask_value: str, folder: Path, seen: LabelsByCase) -> tuple[int, ...]:
    if re.fullmatch(r"\d{1,3}(,\d{1,3})*", mask_value):
        values = tuple(sorted({int(value) for value in mask_value.split(",")}))
        if values[0] > 0 and values[-1] <= MOST_LABEL:
            return values
    labels = _named_labels(folder)
    if mask_value:
        return _called(mask_value, labels)
    named = tumour_value(labels)
    return _plain(seen) if named is None else (named,)


def _named_labels(folder: Path) -> dict[int, str]:
    path = folder / LABEL_LIST_NAME
    return read_label_list(path) if path.is_file() and not path.is_symlink() else {}


def _called(mask_value: str, labels: dict[int, str]) -> tuple[int, ...]:
    values = tuple(value for value, name in sorted(labels.items()) if name.lower() == region_called(mask_value).lower())
    if values:
        return values
    raise RejectedInput(
        "cohort-value-said",
        f"The mask value is neither a number from 1 to {MOST_LABEL} nor the name of a label in {LABEL_LIST_NAME}.",
        remedy="Write --mask-value 2, or 1,2 where both belong to the region.",
    )


def _plain(seen: LabelsByCase) -> tuple[int, ...]:
    """The one value of all masks; empty masks do not count."""
    found = {labels for labels in seen.values() if labels != ()}
    if not found:
        return PLAIN_VALUES[:1]
    only = found.pop() if len(found) == 1 else None
    if only is not None and len(only) == 1 and only[0] in PLAIN_VALUES:
        return only
    raise RejectedInput(
        "cohort-mask-values",
        f"It is not clear which value of the masks is the tumour: they are not all of one value, "
        f"{_joined(PLAIN_VALUES, ' or ')}. They hold {_counted(seen)}.",
        remedy=_SAY,
    )


def _counted(seen: LabelsByCase) -> str:
    """The values of the masks with the number of masks that hold them, the most frequent first."""
    counts = Counter(labels for labels in seen.values() if labels != ())
    listed = [f"{_name(labels)} in {count} case(s)" for labels, count in counts.most_common(_MOST_LISTED)]
    return "; ".join(listed) + (" and others" if len(counts) > _MOST_LISTED else "") or "masks without a label"


def _name(labels: tuple[int, ...] | None) -> str:
    return f"more than {MOST_VALUES} values" if labels is None else f"value {_joined(labels)}"


def _others(meant: tuple[int, ...], seen: LabelsByCase) -> Iterable[Finding]:
    """A finding about labels that count as background, so that figures are not taken for those of all labels."""
    others = {case: set(labels) - set(meant) for case, labels in seen.items() if labels}
    cases = [case for case, rest in others.items() if rest]
    if not cases:
        return
    values = sorted(set().union(*others.values()))
    message = (
        f"Beside value {_joined(meant)} ({TUMOUR.lower()}), {len(cases)} of {len(seen)} mask(s) hold "
        f"{_joined(values)}; they count as background."
    )
    yield Finding(Level.WARNING, OTHER_VALUES, message, "Nothing, if that is meant.", "the masks")


def _joined(values: Iterable[int], between: str = ", ") -> str:
    return between.join(map(str, values))
