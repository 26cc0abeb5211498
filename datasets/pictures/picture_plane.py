"""PicturePlane: how slices of a grid become pictures, and how a picture's percent becomes a voxel and back.

This is the one place where the two meet. Four coordinates are told apart:

* **percent** (x, y): Label Studio's, 0..100 of the picture's width and height, origin at its upper left corner.
* **pixel** (x, y): continuous picture coordinates, 0..width and 0..height; pixel p covers [p, p + 1), centre p + 0.5.
* **voxel** (i, j, k): indices of the grid, which may be fractional; a voxel's centre lies at whole numbers.
* **world** (x, y, z): RAS+ millimetres.

One voxel is one pixel, also where voxels are not square: no picture is ever interpolated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.errors import RejectedInput
from datasets.image.digest import grid_as_dict, grid_from_dict
from datasets.image.volume import Grid

Element = TypeVar("Element", bound=np.generic)

_RIGHT, _ANTERIOR, _SUPERIOR = 0, 1, 2


class AnatomicalPlane(StrEnum):
    """The anatomical plane that a picture shows."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


_DIRECTIONS = {
    AnatomicalPlane.AXIAL: (_SUPERIOR, _ANTERIOR, _RIGHT),
    AnatomicalPlane.CORONAL: (_ANTERIOR, _SUPERIOR, _RIGHT),
    AnatomicalPlane.SAGITTAL: (_RIGHT, _SUPERIOR, _ANTERIOR),
}
"""World axis through the slices, and the world axes that fall along the picture's rows and columns. All pictures run
from plus to minus: the patient's right and anterior come first from the left, superior and anterior from above."""


@dataclass(frozen=True, eq=False)
class PicturePlane:
    """The pictures of one plane of a grid, shown the radiological way (patient's right on the picture's left).

    Args:
        grid: The grid that is cut.
        anatomical: The plane in which slices are cut.
        slice_axis: Grid axis that counts the slices; the slice's index is the voxel index along it, never reversed.
        row_axis: Grid axis that runs down the picture.
        column_axis: Grid axis that runs across the picture.
        rows_reversed: Whether the voxel index falls from the picture's top to its bottom.
        columns_reversed: Whether the voxel index falls from the picture's left to its right.

    Raises:
        RejectedInput: The three axes are not 0, 1 and 2 in some order.
    """

    grid: Grid
    anatomical: AnatomicalPlane
    slice_axis: int
    row_axis: int
    column_axis: int
    rows_reversed: bool
    columns_reversed: bool

    def __post_init__(self) -> None:
        if sorted((self.slice_axis, self.row_axis, self.column_axis)) != [0, 1, 2]:
            raise RejectedInput(
                "plane-axes",
                "The slice, row and column axes are not 0, 1 and 2 in some order.",
                remedy="Export the slices again; their description was changed.",
            )

    @classmethod
    def of(cls, grid: Grid, *, anatomical: AnatomicalPlane = AnatomicalPlane.AXIAL) -> "PicturePlane":
        """The plane of `grid` nearest to `anatomical`; an oblique grid is cut along its own axes.

        The slice axis is the grid axis most along that plane's normal; the other two take rows and columns so that
        together they lie nearest to its directions.
        """
        normal = _DIRECTIONS[anatomical][0]
        slice_axis = int(np.argmax(np.abs(_cosines(grid)[normal])))
        return cls._cut_along(grid, slice_axis, anatomical)

    @classmethod
    def along(cls, grid: Grid, slice_axis: int) -> "PicturePlane":
        """The plane whose slices are counted by a given grid axis, turned as that plane is shown.

        Raises:
            RejectedInput: There is no such axis.
        """
        if slice_axis not in (0, 1, 2):
            raise RejectedInput(
                "slice-axis", f"Expected slice axis 0, 1 or 2, got {slice_axis}.", remedy="Give a grid axis."
            )
        normal = int(np.argmax(np.abs(_cosines(grid)[:, slice_axis])))
        [anatomical] = [plane for plane, directions in _DIRECTIONS.items() if directions[0] == normal]
        return cls._cut_along(grid, slice_axis, anatomical)

    @classmethod
    def _cut_along(cls, grid: Grid, slice_axis: int, anatomical: AnatomicalPlane) -> "PicturePlane":
        cosines = _cosines(grid)
        _, down, across = _DIRECTIONS[anatomical]
        one, other = (axis for axis in range(3) if axis != slice_axis)
        straight = abs(cosines[across, one]) + abs(cosines[down, other])
        crossed = abs(cosines[across, other]) + abs(cosines[down, one])
        column_axis, row_axis = (one, other) if straight >= crossed else (other, one)
        return cls(
            grid=grid,
            anatomical=anatomical,
            slice_axis=slice_axis,
            row_axis=row_axis,
            column_axis=column_axis,
            rows_reversed=bool(cosines[down, row_axis] > 0),
            columns_reversed=bool(cosines[across, column_axis] > 0),
        )

    @property
    def width(self) -> int:
        """Pixels across a picture."""
        return self.grid.shape[self.column_axis]

    @property
    def height(self) -> int:
        """Pixels down a picture."""
        return self.grid.shape[self.row_axis]

    @property
    def slice_count(self) -> int:
        """Number of pictures."""
        return self.grid.shape[self.slice_axis]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a picture in pixels."""
        return self.height, self.width

    @property
    def pixel_spacing_mm(self) -> tuple[float, float]:
        """Height and width of a pixel in millimetres."""
        return self.grid.spacing[self.row_axis], self.grid.spacing[self.column_axis]

    def to_picture(self, data: NDArray[Element], index: int) -> NDArray[Element]:
        """Slice `index` of an array on the grid as a picture.

        Args:
            data: Array of the grid's shape, of any dtype.
            index: Voxel index along the slice axis.

        Returns:
            C-contiguous (height, width) copy, same dtype.

        Raises:
            RejectedInput: The array has another shape, or there is no such slice.
        """
        self.require_index(index)
        return np.array(self.stack(data)[index], order="C")

    def from_picture(self, picture: NDArray[Element], *, into: NDArray[Element], index: int) -> None:
        """Writes a picture into slice `index` of an array on the grid; the inverse of `to_picture`.

        Args:
            picture: (height, width) array.
            into: Array of the grid's shape, changed in place.
            index: Voxel index along the slice axis.

        Raises:
            RejectedInput: The picture or the array has another size, or there is no such slice.
        """
        self.require_index(index)
        if tuple(picture.shape) != (self.height, self.width):
            raise RejectedInput(
                "picture-size",
                f"Expected a picture of {self.width} x {self.height} pixels, got an array of {tuple(picture.shape)}.",
                remedy="Draw on the exported picture itself, not on a scaled copy.",
            )
        self.stack(into)[index] = picture

    def stack(self, data: NDArray[Element]) -> NDArray[Element]:
        """All slices of an array on the grid as pictures (slices, height, width); a view, so that writing to it works.

        Raises:
            RejectedInput: The array has another shape.
        """
        self._require_shape(data)
        turned = data.transpose(self.slice_axis, self.row_axis, self.column_axis)
        return turned[:, :: -1 if self.rows_reversed else 1, :: -1 if self.columns_reversed else 1]

    def indices(self, requested: Iterable[int] | None) -> tuple[int, ...]:
        """The requested slices, sorted and without doubles; all for None.

        Raises:
            RejectedInput: One of them does not exist.
        """
        chosen = range(self.slice_count) if requested is None else sorted(set(requested))
        for index in chosen:
            self.require_index(index)
        return tuple(chosen)

    def percent_to_pixel(self, percent: ArrayLike) -> NDArray[np.float64]:
        """Pixel (..., 2) of percent (..., 2), both as (x, y)."""
        return np.asarray(percent, dtype=np.float64) * (self.width, self.height) / 100.0

    def pixel_to_percent(self, pixel: ArrayLike) -> NDArray[np.float64]:
        """Percent (..., 2) of pixel (..., 2), both as (x, y)."""
        return np.asarray(pixel, dtype=np.float64) * 100.0 / (self.width, self.height)

    def pixel_to_voxel(self, pixel: ArrayLike, *, index: float) -> NDArray[np.float64]:
        """Fractional voxel (..., 3) of pixel (..., 2) as (x, y) on slice `index`."""
        x, y = np.moveaxis(np.asarray(pixel, dtype=np.float64), -1, 0)
        voxel = np.empty((*x.shape, 3))
        voxel[..., self.slice_axis] = index
        voxel[..., self.column_axis] = _mirrored(x - 0.5, self.width, when=self.columns_reversed)
        voxel[..., self.row_axis] = _mirrored(y - 0.5, self.height, when=self.rows_reversed)
        return voxel

    def voxel_to_pixel(self, voxel: ArrayLike) -> NDArray[np.float64]:
        """Pixel (..., 2) as (x, y) of fractional voxel (..., 3); the slice is `voxel[..., slice_axis]`."""
        points = np.asarray(voxel, dtype=np.float64)
        x = _mirrored(points[..., self.column_axis], self.width, when=self.columns_reversed) + 0.5
        y = _mirrored(points[..., self.row_axis], self.height, when=self.rows_reversed) + 0.5
        return np.stack([x, y], axis=-1)

    def percent_to_voxel(self, percent: ArrayLike, *, index: float) -> NDArray[np.float64]:
        """Fractional voxel (..., 3) of percent (..., 2) as (x, y) on slice `index`."""
        return self.pixel_to_voxel(self.percent_to_pixel(percent), index=index)

    def voxel_to_percent(self, voxel: ArrayLike) -> NDArray[np.float64]:
        """Percent (..., 2) as (x, y) of fractional voxel (..., 3)."""
        return self.pixel_to_percent(self.voxel_to_pixel(voxel))

    def percent_to_world(self, percent: ArrayLike, *, index: float) -> NDArray[np.float64]:
        """RAS+ millimetres (..., 3) of percent (..., 2) as (x, y) on slice `index`."""
        return self.grid.to_world(self.percent_to_voxel(percent, index=index))

    def world_to_index(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional (slice, row, column) (..., 3) of points (..., 3) in RAS+ millimetres; pixel centres are whole."""
        voxel = self.grid.to_voxel(points_mm)
        pixel = self.voxel_to_pixel(voxel) - 0.5
        return np.stack([voxel[..., self.slice_axis], pixel[..., 1], pixel[..., 0]], axis=-1)

    def require_index(self, index: int) -> None:
        """Refuses an index that no slice has.

        Raises:
            RejectedInput: With the range in the message.
        """
        if not 0 <= index < self.slice_count:
            raise RejectedInput(
                "slice-index",
                f"Expected a slice from 0 to {self.slice_count - 1}, got {index}.",
                remedy="Use the index that the exported slice carries.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, from which `from_dict` makes the same plane again."""
        return {
            "grid": grid_as_dict(self.grid),
            "view": self.anatomical.value,
            "slice_axis": self.slice_axis,
            "row_axis": self.row_axis,
            "column_axis": self.column_axis,
            "rows_reversed": self.rows_reversed,
            "columns_reversed": self.columns_reversed,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PicturePlane":
        """The plane that `as_dict` described.

        Raises:
            RejectedInput: The values do not describe a plane.
        """
        try:
            rest = {key: value for key, value in values.items() if key not in ("grid", "view")}
            return cls(grid=grid_from_dict(values["grid"]), anatomical=AnatomicalPlane(values["view"]), **rest)
        except (KeyError, TypeError, ValueError) as error:
            raise RejectedInput(
                "plane-description",
                f"The description of a picture plane is damaged ({type(error).__name__}).",
                remedy="Export the slices again; their description was changed.",
            ) from error

    def _require_shape(self, data: NDArray[Any]) -> None:
        if tuple(data.shape) != self.grid.shape:
            raise RejectedInput(
                "plane-shape",
                f"Expected an array of {self.grid.shape}, got {tuple(data.shape)}.",
                remedy="Use the plane that belongs to this array's grid.",
            )


def _cosines(grid: Grid) -> NDArray[np.float64]:
    """Direction of each grid axis (column) in the world (row)."""
    return np.asarray(grid.affine[:3, :3] / np.array(grid.spacing))


def _mirrored(along: NDArray[np.float64], size: int, *, when: bool) -> NDArray[np.float64]:
    return (size - 1) - along if when else along
