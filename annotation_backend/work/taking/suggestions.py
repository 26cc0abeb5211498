"""The slice on which a tumour is probably largest, by what a stage lets its people see: there they begin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import InitialMask
from annotation_backend.labeling.models.version import VersionMasks
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.stages.models import WHOLE_CASE, CaseStage
from datasets.errors import RejectedInput
from datasets.image.packed_mask import unpacked
from datasets.study.stage import Stage


@dataclass(frozen=True)
class Suggestion:
    """A slice, and by whose mask."""

    index: int
    by: str


@dataclass(frozen=True)
class Beginning:
    """Where a piece of work begins, and why."""

    index: int
    words: str


def largest_slice(row: CaseStage, stage: Stage) -> Suggestion | None:
    """The slice with the largest area in what people drew, else in a model's draft, else in a mask that came along.

    Of these, only what the stage shows: its people may be kept from each other, from models, or from all.

    Args:
        row: The stage of a case.
        stage: Its rules.
    """
    is_alone = stage.is_blind or stage.keeps_readings or row.is_control or row.is_fresh
    found = None if is_alone else _by_people(row.case)
    found = found or (None if stage.hides_models else _by_model(row.case))
    return found or (None if stage.is_blind else imported_suggestion(row.case))


def beginning_of(slices: Iterable[int], found: Suggestion | None) -> Beginning | None:
    """The slice of a piece to begin with: the nearest to where the tumour is largest; None where nobody knows.

    Args:
        slices: Those of the piece; `WHOLE_CASE` among them for all.
        found: Where the tumour is largest.
    """
    if found is None:
        return None
    own = set(slices)
    index = found.index if WHOLE_CASE in own else min(own, key=lambda one: (abs(one - found.index), one))
    where = "there" if index == found.index else f"on slice {found.index}"
    return Beginning(index, f"Begin at slice {index} and go outwards: the tumour is largest {where} by {found.by}")


def around(free: Sequence[int], centre: int, count: int) -> list[int]:
    """Some slices that hang together, as near to a slice as possible.

    Args:
        free: Those to choose from.
        centre: The slice.
        count: How many are wanted; 0 for all.
    """
    left = sorted(free, key=lambda index: (abs(index - centre), index))
    if not count or count >= len(left):
        return left
    chosen = left[:1]
    while len(chosen) < count:
        others = [index for index in left if index not in chosen]
        chosen.append(min(others, key=lambda index: (min(abs(index - one) for one in chosen), abs(index - centre))))
    return chosen


def _by_people(case: Case) -> Suggestion | None:
    saves = standing_of(case).saves
    label = case.protocol.learned_label.name
    drawn = dict(VersionMasks.objects.filter(annotation__in=saves.values()).values_list("annotation", "areas"))
    areas = {index: drawn.get(save.pk, {}).get(label, 0) for index, save in saves.items()}
    return _largest(areas, "what is drawn")


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


def imported_suggestion(case: Case) -> Suggestion | None:
    """The slice with the largest area in the mask that came with the studies; None where there is none to read."""
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
