"""Masks that came with the studies: which label of the protocol each means, and the best of one label on a case."""

from collections.abc import Sequence

from annotation_backend.cases.models import Case, ImportedMask
from annotation_backend.cases.registration.volumes import mask_on_case
from datasets.formats.nifti import read_mask
from datasets.image.mask import Mask
from datasets.labels.label_values import region_called
from datasets.study.protocol import Label


def imported_label(case: Case) -> Mask | None:
    """The mask of the label that models learn, as it came, brought onto the case's grid; None where none came."""
    best = best_of_label(case, case.protocol.learned_label)
    return None if best is None else mask_on_case(case, read_mask(best.path), best.series.role)


def best_of_label(case: Case, label: Label) -> ImportedMask | None:
    """The mask that came of a label of the case's protocol: of the image that is drawn on, then of the surest name.

    One of an image that is not on the case's grid, or is left out, is not taken.
    """
    rows = ImportedMask.objects.filter(series__case=case, series__role__in=case.roles).select_related("series__case")
    meant = [row for row in rows if label_meant(row.roi_name, case.protocol.labels) == label]
    ranked = sorted(meant, key=lambda row: (row.series.role != case.drawn_role, _rank(row.roi_name, label), row.pk))
    return next(iter(ranked), None)


def label_meant(roi_name: str, labels: Sequence[Label]) -> Label | None:
    """The label that a region's name means, by the rule by which files are read; None where it means none.

    Args:
        roi_name: Known words of a region's name.
        labels: Those of the protocol.
    """
    called = region_called(roi_name, labels)
    return next((label for label in labels if label.name == called), None)


def _rank(roi_name: str, label: Label) -> int:
    """The surer the name, the smaller."""
    name, words = roi_name.lower(), label.imported_names
    return next((rank for rank, word in enumerate(words) if word in name), len(words))
