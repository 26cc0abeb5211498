"""Transfers masks and volumes between the series of a patient, along a chain of transforms through the case.

Every series has a transform from the case's world, which is that of the image that stayed: the identity for that one,
its registration for each image that was moved, one of its own for any other series
(`curation.registration.register.place_series`). From series to series the chain goes back to the case and out again, so
that no two series need ever be registered with each other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.registration.deformation import Deformation
from curation.registration.similarity import affine_points
from datasets.image.mask import Mask
from datasets.image.resample import INSIDE_FROM, Interpolation, resample_mask, resample_volume
from datasets.image.volume import Affine, Grid, Points, Volume

_CHUNK_POINTS = 1 << 20


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a series lies: the transform from the case to it.

    Args:
        transform: (4, 4) RAS+ millimetres of the case to RAS+ millimetres of the series.
        deformation: Displacement of a point of the case before that; None for none.
    """

    transform: Affine
    deformation: Deformation | None = None

    def from_case(self, points: Points) -> Points:
        """Points (n, 3) of the case where the series shows them, millimetres."""
        moved = points if self.deformation is None else self.deformation.apply(points)
        return affine_points(self.transform, moved)

    def to_case(self, points: Points) -> Points:
        """Points (n, 3) of the series where the case shows them, millimetres."""
        inverse = np.asarray(np.linalg.inv(self.transform), dtype=np.float64)
        back = affine_points(inverse, points)
        return back if self.deformation is None else self.deformation.undo(back)


CASE = Placement(np.eye(4))
"""The image that stayed, and everything that lies on the case's grid."""


def transfer_mask(mask: Mask, *, source: Placement, target: Placement, grid: Grid) -> Mask:
    """A mask made on one series, on the grid of another.

    Args:
        mask: The mask on the grid of the series that it was made on.
        source: Where that series lies.
        target: Where the other series lies.
        grid: The other series' grid.

    Returns:
        The mask on `grid`: a voxel is inside where the label's interpolated share is `INSIDE_FROM` or more.
    """
    if source.deformation is None and target.deformation is None:
        return resample_mask(mask, grid, transform=source.transform @ np.linalg.inv(target.transform))
    data = np.zeros(grid.shape, dtype=np.uint8)
    for value in sorted((int(value) for value in np.unique(mask.data) if value), reverse=True):
        image = Volume((mask.data == value).astype(np.float32), mask.grid)
        data[_carried(image, source, target, grid) >= INSIDE_FROM] = value
    return Mask(data, grid, mask.labels)


def transfer_volume(
    volume: Volume,
    *,
    source: Placement,
    target: Placement,
    grid: Grid,
    interpolation: Interpolation,
    outside: float = 0.0,
) -> Volume:
    """An image of one series on the grid of another, float32; `outside` where it does not reach."""
    if source.deformation is None and target.deformation is None:
        transform = source.transform @ np.linalg.inv(target.transform)
        return resample_volume(volume, grid, transform=transform, interpolation=interpolation, outside=outside)
    carried = _carried(volume, source, target, grid, order=_ORDERS[interpolation], outside=outside)
    return Volume(carried, grid)


_ORDERS: Mapping[Interpolation, int] = {Interpolation.NEAREST: 0, Interpolation.LINEAR: 1, Interpolation.CUBIC: 3}


def _carried(
    volume: Volume, source: Placement, target: Placement, grid: Grid, *, order: int = 1, outside: float = 0.0
) -> NDArray[np.float32]:
    """Values of `volume` at the voxels of `grid`, through the case's world."""
    from scipy.ndimage import map_coordinates

    values = np.asarray(volume.data, dtype=np.float32)
    carried = np.empty(int(np.prod(grid.shape)), dtype=np.float32)
    for start, points in _points(grid):
        voxels = volume.grid.to_voxel(source.from_case(target.to_case(points))).T
        carried[start : start + len(points)] = map_coordinates(
            values, voxels, order=order, mode="constant", cval=outside
        )
    return carried.reshape(grid.shape)


def _points(grid: Grid) -> Iterator[tuple[int, Points]]:
    """The grid's voxel centres in millimetres, a million at a time, with the number of the first."""
    total = int(np.prod(grid.shape))
    for start in range(0, total, _CHUNK_POINTS):
        numbers = np.arange(start, min(total, start + _CHUNK_POINTS))
        yield start, grid.to_world(np.stack(np.unravel_index(numbers, grid.shape), axis=-1))
