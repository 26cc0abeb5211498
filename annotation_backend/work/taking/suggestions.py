"""The slice on which a tumour is probably largest, by what is there before anybody drew."""

from dataclasses import dataclass

import numpy as np

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import InitialMask
from datasets.errors import RejectedInput
from datasets.image.packed_mask import unpacked


@dataclass(frozen=True)
class Suggestion:
    """A slice, and by whose mask."""

    index: int
    by: str


def largest_slice(case: Case) -> Suggestion | None:
    """The slice with the largest area in the newest model's initial masks, or else in a mask that came along."""
    return _by_model(case) or _by_imported(case)


def _by_model(case: Case) -> Suggestion | None:
    newest = InitialMask.objects.filter(case=case).order_by("drawn").values_list("model", flat=True).last()
    if newest is None or case.picture_plane is None:
        return None
    shape = picture_plane(case).shape
    areas: dict[int, int] = {}
    for index, bits in InitialMask.objects.filter(case=case, model=newest).values_list("slice_index", "bits"):
        try:
            areas[index] = int(np.count_nonzero(unpacked(bytes(bits), shape))) if bits else 0
        except RejectedInput:
            continue  # damaged; it is drawn again when it is shown
    return _largest(areas, "a model's mask")


def _by_imported(case: Case) -> Suggestion | None:
    if case.picture_plane is None:
        return None
    try:
        mask = imported_label(case)
    except (OSError, RejectedInput):
        return None  # damaged or gone, which is told elsewhere
    if mask is None:
        return None
    axis = picture_plane(case).slice_axis
    others = tuple(one for one in range(3) if one != axis)
    counts = np.count_nonzero(mask.foreground, axis=others)
    return _largest(dict(enumerate(counts.tolist())), "the mask that came with the studies")


def _largest(areas: dict[int, int], by: str) -> Suggestion | None:
    if not any(areas.values()):
        return None
    return Suggestion(max(areas, key=lambda index: (areas[index], -index)), by)
