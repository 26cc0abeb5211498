"""Orientation: the same voxels with axes turned to right, anterior and superior, and back; nothing is resampled."""

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from datasets.image.volume import Grid, Volume

_RAS = np.array([[0, 1], [1, 1], [2, 1]])
"""nibabel's code of axes that run to the right, to anterior and to superior."""


def as_ras(volume: Volume) -> Volume:
    """The volume with axes swapped and flipped so that i, j, k run closest to right, anterior and superior.

    Args:
        volume: In any axis order.

    Returns:
        A view of the same voxels on a grid with the same world positions.
    """
    turn = io_orientation(volume.grid.affine)
    affine = volume.grid.affine @ inv_ornt_aff(turn, volume.grid.shape)
    data = apply_orientation(volume.data, turn)
    return Volume(data, Grid((data.shape[0], data.shape[1], data.shape[2]), affine))


def from_ras(data: NDArray[np.generic], grid: Grid) -> NDArray[np.generic]:
    """The inverse of `as_ras`: an array turned by it, back in the order of `grid`.

    Args:
        data: (i, j, k) as `as_ras` of a volume on `grid` has it.
        grid: Where the result shall lie.
    """
    back = ornt_transform(_RAS, io_orientation(grid.affine))
    turned: NDArray[np.generic] = apply_orientation(data, back)
    return turned


def axis_in_ras(axis: int, grid: Grid) -> int:
    """Which axis of `as_ras` the axis (0, 1, 2) of `grid` becomes."""
    return int(io_orientation(grid.affine)[axis, 0])


def is_reversed_in_ras(axis: int, grid: Grid) -> bool:
    """Whether the axis (0, 1, 2) of `grid` runs the other way in `as_ras`, so that its last index becomes the first."""
    return bool(io_orientation(grid.affine)[axis, 1] < 0)
