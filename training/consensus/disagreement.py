"""Where readers of one case differ: the regions, and how much of it lies in which slice."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid
from training.consensus.proposals import require_same_shape

_CORNERS = 26
"""Voxels that touch at a corner are of one region."""

_MOST_READERS = 31
"""Each reader is a bit of a voxel's pattern."""


@dataclass(frozen=True)
class DisagreementRegion:
    """Connected voxels that the same readers have inside and the same others outside.

    Args:
        number: Its value in the map, from 1; the largest is 1.
        inside: Readers who have it inside, in the order in which they were given.
        outside: Readers who have it outside.
        voxels: How many.
        volume_mm3: Its size.
        first_slice: The first slice that it lies in.
        last_slice: The last one.
        largest_slice: The slice that holds most of it.
        voxel: (i, j, k) a voxel of it, in its largest slice, next to its middle there: where to look at it.
    """

    number: int
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    voxels: int
    volume_mm3: float
    first_slice: int
    last_slice: int
    largest_slice: int
    voxel: tuple[int, int, int]


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
        RejectedInput: There are fewer than two masks (``too-few-readers``).
        GeometryError: The masks differ in shape.
    """
    require_same_shape(masks)
    every = list(masks.values())[:_MOST_READERS]
    agreed, anybody = np.logical_and.reduce(every), np.logical_or.reduce(every)
    numbers = np.zeros(grid.shape, np.int32)
    regions: tuple[DisagreementRegion, ...] = ()
    window = mask_box(anybody & ~agreed)
    if window is not None:
        pattern = sum(mask[window].astype(np.uint32) << bit for bit, mask in enumerate(every))
        pattern[~anybody[window] | agreed[window]] = 0
        numbers[window] = _numbered(pattern)
        regions = _regions(numbers, masks, grid, slice_axis)
    others = tuple(axis for axis in range(3) if axis != slice_axis)
    area = grid.voxel_volume_mm3 / grid.spacing[slice_axis]
    return Disagreement(regions, numbers, agreed, (numbers > 0).sum(axis=others) * area, slice_axis)


def _numbered(pattern: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Connected voxels of one pattern, numbered from the largest; of two as large, the first in the array."""
    import cc3d

    labels = cc3d.connected_components(np.ascontiguousarray(pattern), connectivity=_CORNERS)
    sizes = np.bincount(labels.ravel())
    order = np.argsort(-sizes[1:], kind="stable") + 1
    number = np.zeros(sizes.size, np.int32)
    number[order] = np.arange(1, sizes.size)
    found: NDArray[np.int32] = number[labels]
    return found


def _regions(
    numbers: NDArray[np.int32], masks: Mapping[str, Inside], grid: Grid, slice_axis: int
) -> tuple[DisagreementRegion, ...]:
    places = np.argwhere(numbers)
    which = numbers[tuple(places.T)]
    ordered = places[np.argsort(which, kind="stable")]
    parts = np.split(ordered, np.cumsum(np.bincount(which)[1:])[:-1])
    return tuple(_region(number, part, masks, grid, slice_axis) for number, part in enumerate(parts, start=1))


def _region(
    number: int, places: NDArray[np.int64], masks: Mapping[str, Inside], grid: Grid, slice_axis: int
) -> DisagreementRegion:
    first = tuple(places[0])
    slices = places[:, slice_axis]
    largest = int(np.bincount(slices).argmax())
    there = places[slices == largest]
    away = ((there - there.mean(axis=0)) * grid.spacing) ** 2
    i, j, k = (int(at) for at in there[away.sum(axis=1).argmin()])
    return DisagreementRegion(
        number=number,
        inside=tuple(reader for reader, mask in masks.items() if mask[first]),
        outside=tuple(reader for reader, mask in masks.items() if not mask[first]),
        voxels=len(places),
        volume_mm3=len(places) * grid.voxel_volume_mm3,
        first_slice=int(slices.min()),
        last_slice=int(slices.max()),
        largest_slice=largest,
        voxel=(i, j, k),
    )
