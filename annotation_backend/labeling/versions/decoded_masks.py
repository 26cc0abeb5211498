"""The masks that a save holds, decoded once and kept beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.labeling.masks.regions import drawn_masks
from annotation_backend.labeling.models import DECODING, Annotation, VersionMasks
from curation.slices.assembly import AssembledLabels, assemble_labels
from datasets.image.packed_mask import packed, unpacked


def decode_missing(case: Case) -> int:
    """Decodes every confirmed save of a case that was not decoded yet, or by an earlier version; returns how many."""
    missing = Annotation.objects.filter(task__case=case).undecoded()
    keys = list(missing.values_list("pk", flat=True))
    for key in keys:  # one at a time: each may hold megabytes
        stored_masks(Annotation.objects.select_related("task__case").get(pk=key))
    return len(keys)


def stored_masks(annotation: Annotation) -> VersionMasks:
    """The decoded masks of a save; decodes and stores them where nobody did before, or an earlier version did.

    Raises:
        RejectedInput: The case's slices were not exported.
    """
    known = VersionMasks.objects.filter(annotation=annotation, decoding=DECODING).first()
    return known or _decode(annotation)


def masks_in(stored: VersionMasks) -> dict[str, NDArray[np.bool_]]:
    """The masks (height, width) of a save, by label."""
    labels, shape = sorted(stored.areas), (stored.height, stored.width)
    if not labels:
        return {}
    stack = unpacked(bytes(stored.bits), (len(labels) * stored.height, stored.width)).reshape(len(labels), *shape)
    return dict(zip(labels, stack, strict=True))


def mask_in(stored: VersionMasks, label: str) -> NDArray[np.bool_]:
    """The mask (height, width) of one label; empty where the save has none."""
    empty = np.zeros((stored.height, stored.width), dtype=np.bool_)
    return masks_in(stored).get(label, empty)


def mask_together(case: Case, stored: Mapping[int, VersionMasks], labels: Mapping[int, str]) -> AssembledLabels:
    """A case's mask: every label of one save a slice.

    Args:
        case: With exported slices.
        stored: What was decoded of one save a slice, by slice index.
        labels: Value to name, the one that counts most first.

    Raises:
        RejectedInput: The case's slices were not exported, or a picture has another size.
    """
    slices = ((index, masks_in(masks)) for index, masks in stored.items())
    return assemble_labels(slices, picture_plane(case), labels=labels)


@dataclass(frozen=True)
class DecodedSave:
    """The masks of a save as `VersionMasks` keeps them."""

    areas: dict[str, int]
    regions: dict[str, int]
    unreadable: int
    bits: bytes


def masks_of(annotation: Annotation, *, height: int, width: int) -> DecodedSave:
    """Decodes a save, whatever is stored of it.

    Args:
        annotation: The save.
        height: Picture height in pixels.
        width: Picture width in pixels.
    """
    drawn = drawn_masks(annotation.raw.get("result") or [], height=height, width=width, labels=None)
    areas = {label: int(mask.sum()) for label, mask in drawn.pixels.items()}
    bits = _bits(drawn.pixels[label] for label in sorted(drawn.pixels))
    return DecodedSave(areas, dict(drawn.regions), drawn.unreadable, bits)


def _decode(annotation: Annotation) -> VersionMasks:
    plane = picture_plane(annotation.task.case)
    decoded = masks_of(annotation, height=plane.height, width=plane.width)
    row, _ = VersionMasks.objects.update_or_create(
        annotation=annotation,
        defaults={"height": plane.height, "width": plane.width, "decoding": DECODING, **vars(decoded)},
    )
    return row


def _bits(masks: Iterable[NDArray[np.bool_]]) -> bytes:
    stack = list(masks)
    return packed(np.concatenate(stack)) if stack else b""
