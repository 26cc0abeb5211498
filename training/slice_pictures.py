"""SlicePictures: how a network sees the slices of a grid: turned as the picture is shown, whatever the grid's order.

Rows run from superior or anterior downwards, columns from the patient's right or anterior; so a network that learned
on one grid meets the same patient the same way up on another.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.errors import RejectedInput
from datasets.volume import Grid

_DOWN_AND_ACROSS = ((2, 1), (2, 0), (1, 0))
"""World axes of rows and columns for slices counted along right, anterior and superior."""


@dataclass(frozen=True, eq=False)
class SlicePictures:
    """The pictures of a grid along one of its axes.

    Args:
        grid: The grid that is cut.
        slice_axis: Grid axis (0, 1, 2) that runs through the slices.
        axes: Grid axes that run down and across a picture; found from the grid.
        mirrored: Whether the voxel index falls down and across a picture; found from the grid.

    Raises:
        RejectedInput: There is no such axis.
    """

    grid: Grid
    slice_axis: int
    axes: tuple[int, int] = field(init=False)
    mirrored: tuple[bool, bool] = field(init=False)

    def __post_init__(self) -> None:
        if self.slice_axis not in (0, 1, 2):
            raise RejectedInput(
                "slice-axis", f"Expected slice axis 0, 1 or 2, got {self.slice_axis}.", remedy="Give a grid axis."
            )
        cosines = self.grid.affine[:3, :3] / np.array(self.grid.spacing)
        one, other = (axis for axis in range(3) if axis != self.slice_axis)
        down, across = _DOWN_AND_ACROSS[int(np.argmax(np.abs(cosines[:, self.slice_axis])))]
        straight = abs(cosines[down, one]) + abs(cosines[across, other])
        crossed = abs(cosines[down, other]) + abs(cosines[across, one])
        row, column = (one, other) if straight >= crossed else (other, one)
        object.__setattr__(self, "axes", (row, column))
        object.__setattr__(self, "mirrored", (bool(cosines[down, row] > 0), bool(cosines[across, column] > 0)))

    @property
    def count(self) -> int:
        """Number of slices."""
        return self.grid.shape[self.slice_axis]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a picture in pixels, one a voxel."""
        row, column = self.axes
        return self.grid.shape[row], self.grid.shape[column]

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Height and width of a pixel in millimetres."""
        row, column = self.axes
        return self.grid.spacing[row], self.grid.spacing[column]

    def stack(self, data: NDArray[np.generic]) -> NDArray[np.generic]:
        """An array of the grid's shape as pictures (count, height, width); a view, so that writing to it works."""
        down, across = self.mirrored
        turned = data.transpose(self.slice_axis, *self.axes)
        return turned[:, :: -1 if down else 1, :: -1 if across else 1]

    def to_pixels(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional (slice, row, column) (..., 3) of points (..., 3) in RAS+ millimetres; pixel centres are whole."""
        voxels = self.grid.to_voxel(points_mm)[..., [self.slice_axis, *self.axes]]
        for at, (size, mirrored) in enumerate(zip(self.shape, self.mirrored, strict=True), start=1):
            if mirrored:
                voxels[..., at] = size - 1 - voxels[..., at]
        return voxels

    def indices(self, requested: tuple[int, ...] | None) -> tuple[int, ...]:
        """The requested slices, sorted and without doubles; all for None.

        Raises:
            RejectedInput: One of them does not exist.
        """
        if requested is None:
            return tuple(range(self.count))
        if any(not 0 <= index < self.count for index in requested):
            raise RejectedInput(
                "slice-index",
                f"Expected slices from 0 to {self.count - 1}, got {sorted(set(requested))}.",
                remedy="Ask for slices that the volume has.",
            )
        return tuple(sorted(set(requested)))
