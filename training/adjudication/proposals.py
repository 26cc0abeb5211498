"""Proposals of one mask from several: majority, and STAPLE.

STAPLE estimates at the same time which voxels are inside and how good each reader is. It takes the share of voxels
inside as given beforehand, so that the background around a tumour weighs: here it is worked out in the box around all
masks and `STAPLE_MARGIN` voxels more, whatever the field of view.

Source: Warfield, Zou and Wells, IEEE Trans Med Imaging 2004;23:903-921 (SimpleITK's STAPLEImageFilter).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError, RejectedInput
from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box

STAPLE_MARGIN = 5
"""Voxels of background around all masks that STAPLE sees, as far as the volume goes."""

_MOST_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class StapleProposal:
    """What STAPLE makes of several masks.

    Args:
        inside: bool; where the probability is above one half.
        probability: float32, 0..1, of the masks' shape.
        sensitivity: By reader: share of what is inside that the reader has inside.
        specificity: By reader: share of what is outside that the reader has outside.
    """

    inside: Inside
    probability: NDArray[np.float32]
    sensitivity: Mapping[str, float]
    specificity: Mapping[str, float]


def majority(masks: Mapping[str, Inside]) -> Inside:
    """The voxels that more than half of the readers have inside; of an even number, half is not enough.

    Args:
        masks: Each reader's mask, bool of one shape.

    Raises:
        RejectedInput: There are fewer than two masks (``too-few-readers``).
        GeometryError: The masks differ in shape.
    """
    require_same_shape(masks)
    votes = np.zeros(next(iter(masks.values())).shape, np.uint16)
    for mask in masks.values():
        votes += mask
    inside: Inside = votes * 2 > len(masks)
    return inside


def staple(masks: Mapping[str, Inside]) -> StapleProposal:
    """STAPLE's mask with the performance of each reader that it estimated.

    Args:
        masks: Each reader's mask, bool of one shape.

    Returns:
        Where all masks are the same, that mask, and performances of 1.

    Raises:
        RejectedInput: There are fewer than two masks (``too-few-readers``).
        GeometryError: The masks differ in shape.
    """
    require_same_shape(masks)
    every = list(masks.values())
    if all(np.array_equal(every[0], other) for other in every[1:]):
        whole = dict.fromkeys(masks, 1.0)
        return StapleProposal(every[0].copy(), every[0].astype(np.float32), whole, whole)
    window = _around(np.logical_or.reduce(every))
    found, sensitivity, specificity = _filtered([mask[window] for mask in every])
    probability = np.zeros(every[0].shape, np.float32)
    probability[window] = found
    return StapleProposal(
        probability > 0.5,
        probability,
        dict(zip(masks, sensitivity, strict=True)),
        dict(zip(masks, specificity, strict=True)),
    )


def require_same_shape(masks: Mapping[str, Inside]) -> None:
    """Refuses to go on with fewer than two masks, or with masks of several shapes.

    Raises:
        RejectedInput: ``too-few-readers``.
        GeometryError: ``mask-shapes``.
    """
    if len(masks) < 2:
        raise RejectedInput(
            "too-few-readers",
            f"Expected the masks of two readers at least, got {len(masks)}.",
            remedy="Wait until another reader has handed in.",
        )
    shapes = {mask.shape for mask in masks.values()}
    if len(shapes) > 1:
        raise GeometryError(
            "mask-shapes",
            f"Expected masks of one shape, got {', '.join(map(str, sorted(shapes)))}.",
            remedy="Resample all onto one grid first.",
        )


def _around(inside: Inside) -> tuple[slice, ...]:
    """The box around a mask that is not empty, with a margin."""
    box = mask_box(inside) or ()
    return tuple(
        slice(max(0, along.start - STAPLE_MARGIN), min(size, along.stop + STAPLE_MARGIN))
        for along, size in zip(box, inside.shape, strict=True)
    )


def _filtered(masks: list[Inside]) -> tuple[NDArray[np.float32], tuple[float, ...], tuple[float, ...]]:
    import SimpleITK as sitk  # noqa: N813

    staples = sitk.STAPLEImageFilter()
    staples.SetForegroundValue(1.0)
    staples.SetMaximumIterations(_MOST_ITERATIONS)
    staples.SetNumberOfThreads(1)
    found = staples.Execute([sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks])
    return sitk.GetArrayFromImage(found).astype(np.float32), staples.GetSensitivity(), staples.GetSpecificity()
