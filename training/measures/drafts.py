"""What became of a draft: how much of a planted fault was mended, and how much was handed in as it came."""

from dataclasses import dataclass

import numpy as np

from datasets.errors import GeometryError
from datasets.image.mask import Inside


@dataclass(frozen=True)
class Unchanged:
    """How much of a draft was handed in unchanged.

    Args:
        voxels: Of the voxels that draft or final mask has inside, the share that both have; 1 where both are empty.
        slices: Of the slices that either is drawn in, the share in which every voxel is the same; 1 as above.
        is_whole: Whether not one voxel was changed.
    """

    voxels: float
    slices: float
    is_whole: bool


def unchanged(draft: Inside, final: Inside, slice_axis: int) -> Unchanged:
    """How much of a draft was handed in unchanged.

    Args:
        draft: bool of three axes: what a person was shown.
        final: bool of its shape: what the person handed in.
        slice_axis: The axis that runs through the slices.

    Raises:
        GeometryError: The masks differ in shape.
    """
    _require_one_shape(draft, final)
    either = draft | final
    others = tuple(axis for axis in range(3) if axis != slice_axis)
    drawn, changed = either.any(axis=others), (draft != final).any(axis=others)
    total, slices = np.count_nonzero(either), np.count_nonzero(drawn)
    return Unchanged(
        voxels=np.count_nonzero(draft & final) / total if total else 1.0,
        slices=np.count_nonzero(drawn & ~changed) / slices if slices else 1.0,
        is_whole=not changed.any(),
    )


def corrected_share(before: Inside, region: Inside, after: Inside, truth: Inside) -> float | None:
    """How much of a fault was corrected: of the voxels in a region that were wrong, the share that is right now.

    What a person changed elsewhere does not count, nor what was right in the region and is wrong now.

    Args:
        before: bool: the mask with the fault.
        region: bool of its shape: where the fault is.
        after: bool of its shape: what was handed in.
        truth: bool of its shape: the known mask.

    Returns:
        0..1; None where nothing in the region was wrong.

    Raises:
        GeometryError: The masks differ in shape.
    """
    _require_one_shape(before, region, after, truth)
    was_wrong = region & (before != truth)
    wrong = np.count_nonzero(was_wrong)
    return np.count_nonzero(was_wrong & (after == truth)) / wrong if wrong else None


def _require_one_shape(first: Inside, *others: Inside) -> None:
    for other in others:
        if other.shape != first.shape:
            raise GeometryError(
                "mask-shapes",
                f"Expected masks of one shape, got {first.shape} and {other.shape}.",
                remedy="Resample one onto the other's grid first.",
            )
