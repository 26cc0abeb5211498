"""How far the masks of a case agree, measured when its mask is put together; it orders work, and is no result."""

from itertools import combinations

import numpy as np

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import InitialMask
from annotation_backend.labeling.models import CaseMask, VersionMasks
from annotation_backend.labeling.versions.decoded_masks import mask_in
from annotation_backend.labeling.versions.standing import standing_of
from annotation_backend.work.models import ComparedMasks, Disagreement
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask
from datasets.image.packed_mask import unpacked


def measure(case: Case) -> Disagreement | None:
    """Compares readers' masks where there are two, or else the model's initial masks with what was drawn.

    Args:
        case: The case.

    Returns:
        The record; None where there is nothing to compare, and no record then.
    """
    readers, model = _between_readers(case), None
    if readers is None:
        model = _against_model(case)
    dice = model if readers is None else readers
    if dice is None:
        Disagreement.objects.filter(case=case).delete()
        return None
    between = ComparedMasks.MODEL if readers is None else ComparedMasks.READERS
    values = {"between": between, "dice": dice}
    return Disagreement.objects.update_or_create(case=case, defaults=values)[0]


def dice_of(overlap: int, one: int, other: int) -> float:
    """Twice the shared count over the sum of both; 1 where both are empty."""
    return 2 * overlap / (one + other) if one + other else 1.0


def _between_readers(case: Case) -> float | None:
    """The smallest Dice of any two readers' newest masks of the newest stage that keeps readings."""
    masks: dict[int, CaseMask] = {}
    found = CaseMask.objects.filter(case=case, reading__isnull=False).select_related("reading", "case")
    for mask in found.order_by("reading__row", "pk"):
        masks = {key: one for key, one in masks.items() if one.reading.row_id == mask.reading.row_id}  # type: ignore[union-attr]
        masks[mask.reading_id] = mask  # type: ignore[index]
    try:
        volumes = [read_mask(mask.path).foreground for mask in masks.values()]
    except (OSError, RejectedInput):
        return None  # damaged, which is told elsewhere
    pairs = combinations(volumes, 2)
    dices = [dice_of(int((a & b).sum()), int(a.sum()), int(b.sum())) for a, b in pairs if a.shape == b.shape]
    return min(dices, default=None)


def _against_model(case: Case) -> float | None:
    """Dice over the slices that somebody saved and the newest model drew before."""
    saves = standing_of(case).saves
    newest = InitialMask.objects.filter(case=case).order_by("drawn").values_list("model", flat=True).last()
    if not saves or newest is None:
        return None
    label, shape = case.protocol.learned_label.name, picture_plane(case).shape
    stored = {row.annotation_id: row for row in VersionMasks.objects.filter(annotation__in=saves.values())}
    drafts = InitialMask.objects.filter(case=case, model=newest, slice_index__in=saves).only("slice_index", "bits")
    overlap = drawn_count = draft_count = compared = 0
    for draft in drafts:
        masks = stored.get(saves[draft.slice_index].pk)
        if masks is None or (masks.height, masks.width) != shape:
            continue
        try:
            before = unpacked(bytes(draft.bits), shape) if draft.bits else np.zeros(shape, dtype=bool)
            after = mask_in(masks, label)
        except RejectedInput:
            continue
        compared += 1
        overlap += int((before & after).sum())
        drawn_count += int(after.sum())
        draft_count += int(before.sum())
    return dice_of(overlap, drawn_count, draft_count) if compared else None
