"""Connected parts of a mask, and where to look at each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.image.volume import Grid

BY_FACES = 6
BY_CORNERS = 26
"""Neighbours of a voxel, as cc3d names them."""

Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """Connected voxels of one value.

    Args:
        voxels: How many.
        volume_mm3: Their volume.
        first_slice: The first slice that they lie in.
        last_slice: The last one.
        largest_slice: The slice that holds most of them.
        voxel: (i, j, k) the one of them that is nearest to their middle in the largest slice: where to look.
    """

    voxels: int
    volume_mm3: float
    first_slice: int
    last_slice: int
    largest_slice: int
    voxel: Voxel


def numbered_parts(values: NDArray[np.generic], connectivity: int) -> NDArray[np.int32]:
    """Connected voxels of one value, numbered from the largest, which is 1; of two as large, the first in the array.

    Args:
        values: 3D array of bool or whole numbers; 0 belongs to no part.
        connectivity: `BY_FACES` or `BY_CORNERS`.
    """
    import cc3d

    labels = cc3d.connected_components(np.ascontiguousarray(values), connectivity=connectivity)
    sizes = np.bincount(labels.ravel())
    number = np.zeros(sizes.size, np.int32)
    number[np.argsort(-sizes[1:], kind="stable") + 1] = np.arange(1, sizes.size)
    found: NDArray[np.int32] = number[labels]
    return found


def parts_of(numbers: NDArray[np.int32], grid: Grid, slice_axis: int) -> Iterator[Part]:
    """Each part of an array on a grid, from number 1 on."""
    places = np.argwhere(numbers)
    which = numbers[tuple(places.T)]
    ordered = places[np.argsort(which, kind="stable")]
    for some in np.split(ordered, np.cumsum(np.bincount(which)[1:])[:-1]) if len(places) else ():
        slices = some[:, slice_axis]
        largest = int(np.bincount(slices).argmax())
        yield Part(
            voxels=len(some),
            volume_mm3=len(some) * grid.voxel_volume_mm3,
            first_slice=int(slices.min()),
            last_slice=int(slices.max()),
            largest_slice=largest,
            voxel=middle_voxel(some[slices == largest], grid),
        )


def middle_voxel(places: NDArray[np.int64], grid: Grid) -> Voxel:
    """The one of some voxels (N, 3) that is nearest to their middle."""
    away = ((places - places.mean(axis=0)) * grid.spacing) ** 2
    i, j, k = places[away.sum(axis=1).argmin()].tolist()
    return i, j, k
