"""Where readers of one case differ: the regions, and how much of it lies in which slice."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid
from training.adjudication.proposals import require_same_shape
from training.measures.places import BY_CORNERS, Part, numbered_parts, parts_of

_MOST_READERS = 31
"""Each reader is a bit of a voxel's pattern."""


@dataclass(frozen=True)
class DisagreementRegion:
    """Connected voxels that the same readers have inside and the same others outside.

    Args:
        number: Its value in the map, from 1; the largest is 1.
        inside: Readers who have it inside, in the order in which they were given.
        outside: Readers who have it outside.
        part: Its size, its slices, and the voxel at which to look at it.
    """

    number: int
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    part: Part


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Where readers differ.

    Args:
        regions: The largest first.
        numbers: int32 of the masks' shape: the region's number, 0 where all agree.
        agreed: bool: inside by all readers.
        by_slice_mm2: (slices,) area in which readers differ, by slice.
        slice_axis: The axis that runs through the slices.
    """

    regions: tuple[DisagreementRegion, ...]
    numbers: NDArray[np.int32]
    agreed: Inside
    by_slice_mm2: NDArray[np.float64]
    slice_axis: int

    @property
    def largest_slice(self) -> int | None:
        """The slice in which readers differ most; None where all agree everywhere."""
        return int(self.by_slice_mm2.argmax()) if self.by_slice_mm2.any() else None


def disagreement(masks: Mapping[str, Inside], grid: Grid, slice_axis: int) -> Disagreement:
    """The regions in which two or more readers differ.

    Args:
        masks: Each reader's mask, bool of `grid.shape`; at most 31.
        grid: Grid of all.
        slice_axis: The grid axis that runs through the slices.

    Raises:
        RejectedInput: There are fewer than two masks (``too-few-readers``), or more than 31 (``too-many-readers``).
        GeometryError: The masks differ in shape.
    """
    require_same_shape(masks)
    every = list(masks.values())
    if len(every) > _MOST_READERS:
        raise RejectedInput(
            "too-many-readers",
            f"Expected the masks of {_MOST_READERS} readers at most, got {len(every)}.",
            remedy="Compare fewer at once.",
        )
    agreed, anybody = np.logical_and.reduce(every), np.logical_or.reduce(every)
    numbers = np.zeros(grid.shape, np.int32)
    regions: tuple[DisagreementRegion, ...] = ()
    window = mask_box(anybody & ~agreed)
    if window is not None:
        pattern = np.zeros(agreed[window].shape, np.uint32)
        for bit, mask in enumerate(every):
            pattern |= np.left_shift(mask[window], bit, dtype=np.uint32)
        pattern[~anybody[window] | agreed[window]] = 0
        numbers[window] = numbered_parts(pattern, BY_CORNERS)
        parts = enumerate(parts_of(numbers, grid, slice_axis), start=1)
        regions = tuple(_region(number, part, masks) for number, part in parts)
    others = tuple(axis for axis in range(3) if axis != slice_axis)
    area = grid.voxel_volume_mm3 / grid.spacing[slice_axis]
    return Disagreement(regions, numbers, agreed, (numbers > 0).sum(axis=others) * area, slice_axis)


def _region(number: int, part: Part, masks: Mapping[str, Inside]) -> DisagreementRegion:
    return DisagreementRegion(
        number=number,
        inside=tuple(reader for reader, mask in masks.items() if mask[part.voxel]),
        outside=tuple(reader for reader, mask in masks.items() if not mask[part.voxel]),
        part=part,
    )
