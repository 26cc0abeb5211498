"""Grid and Volume: voxels together with where they lie in the patient.

Arrays are indexed (i, j, k) in the file's own order. The affine maps a voxel index to RAS+ millimetres: x to the
patient's right, y to anterior, z to superior. No array travels without its grid.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.errors import GeometryError
from datasets.image.grid_difference import describe_difference

Affine = NDArray[np.float64]

Points = NDArray[np.float64]
"""Coordinates, (..., 3) in space or (..., 2) in a plane."""

GRID_TOLERANCE_MM = 1e-3
"""Two grids are the same when no corner voxel of one lies further than this from the other's: far below any
annotator's pixel, far above what float32 headers lose."""

SHEAR_TOLERANCE = 1e-3
"""Largest cosine between two axes that still counts as a right angle (about 0.06 degrees)."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular 3D lattice of voxel centres.

    Args:
        shape: Number of voxels along i, j, k; all positive.
        affine: (4, 4) float64, voxel index to RAS+ millimetres.

    Raises:
        GeometryError: The shape is not three positive numbers, or the affine is not finite and invertible.
    """

    shape: tuple[int, int, int]
    affine: Affine

    def __post_init__(self) -> None:
        shape = tuple(int(size) for size in self.shape)
        affine = np.array(self.affine, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise GeometryError(
                "grid-shape", f"A grid has three positive sizes, got {shape}.", remedy="Give a single 3D volume."
            )
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
            raise GeometryError(
                "grid-affine",
                "A grid's affine is a finite, invertible 4x4 matrix.",
                remedy="Export the volume again with its geometry.",
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along i, j, k in millimetres."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """(3,) RAS+ millimetres of the middle of the field of view."""
        return self.to_world((np.array(self.shape) - 1) / 2)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in cubic millimetres."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def is_orthogonal(self) -> bool:
        """Whether the three axes stand at right angles (no shear)."""
        directions = self.affine[:3, :3] / np.array(self.spacing)
        return bool(np.abs(directions.T @ directions - np.eye(3)).max() <= SHEAR_TOLERANCE)

    def to_world(self, voxels: ArrayLike) -> NDArray[np.float64]:
        """Millimetres (..., 3) of voxel indices (..., 3), which may be fractional."""
        return np.asarray(voxels, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_voxel(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel indices (..., 3) of points (..., 3) in millimetres."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(points_mm, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]

    def matches(self, other: "Grid", *, tolerance_mm: float = GRID_TOLERANCE_MM) -> bool:
        """Whether both grids have one shape and their corner voxels agree within `tolerance_mm`."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, size - 1) for size in self.shape])).reshape(3, -1).T
        return bool(np.abs(self.to_world(corners) - other.to_world(corners)).max() <= tolerance_mm)

    def require_match(self, other: "Grid", *, what: str) -> None:
        """Refuses to go on when `other` is another grid.

        Raises:
            GeometryError: With both shapes and spacings, and how far and which way they differ, in the message.
        """
        if not self.matches(other):
            difference = describe_difference(self, other)
            raise GeometryError(
                "grid-mismatch",
                f"{what}: expected a grid of {self.describe()}, got {other.describe()}, {difference}.",
                remedy="Resample or transfer one onto the other's grid first; nothing is resampled silently.",
            )

    def describe(self) -> str:
        """Shape and spacing in one short phrase."""
        sizes = " x ".join(str(size) for size in self.shape)
        spacings = " x ".join(f"{value:.3g}" for value in self.spacing)
        return f"{sizes} voxels of {spacings} mm"


@dataclass(frozen=True, eq=False)
class Volume:
    """An image on a grid.

    Args:
        data: Array of `grid.shape`, any real dtype.
        grid: Where its voxels lie.

    Raises:
        GeometryError: `data` has another shape than `grid`.
    """

    data: NDArray[np.generic]
    grid: Grid

    def __post_init__(self) -> None:
        if tuple(self.data.shape) != self.grid.shape:
            raise GeometryError(
                "volume-shape",
                f"Expected an array of {self.grid.shape}, got {tuple(self.data.shape)}.",
                remedy="Give the array together with the grid it was read with.",
            )


def zeros_by_slice(shape: tuple[int, int, int], axis: int) -> NDArray[np.float32]:
    """Zeros of `shape` whose slices along `axis` each lie together in memory, so that only written slices take any."""
    others = [size for at, size in enumerate(shape) if at != axis]
    return np.moveaxis(np.zeros((shape[axis], *others), np.float32), 0, axis)
