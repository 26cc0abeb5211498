"""Metrics: how well two masks on one grid agree. Distances are in millimetres and honour the grid's spacing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError
from datasets.volume import Grid

Region = NDArray[Any]


def dice(a: Region, b: Region) -> float:
    """Dice overlap 2|A∩B| / (|A| + |B|).

    Args:
        a: Array of any shape; non-zero is inside.
        b: Array of the same shape.

    Returns:
        0..1; 1 where both are empty.

    Raises:
        GeometryError: The shapes differ.
    """
    one, other = _inside(a, b)
    total = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / total if total else 1.0


def surface_distances(a: Region, b: Region, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances in millimetres from each surface voxel of one mask to the other's nearest surface voxel.

    A surface voxel is one inside with a face neighbour outside; the volume's border counts as outside.

    Args:
        a: Array of `grid.shape`; non-zero is inside.
        b: Array of `grid.shape`.
        grid: Where both lie.

    Returns:
        From a to b and from b to a; infinite where the other mask is empty.

    Raises:
        GeometryError: An array has another shape than the grid, or the grid's axes are not at right angles.
    """
    from scipy.ndimage import distance_transform_edt

    one, other = _inside(a, b)
    _require_grid(one, grid)
    if not (one.any() and other.any()):
        return np.full(_surface(one).sum(), np.inf), np.full(_surface(other).sum(), np.inf)
    window = _window(one | other)
    first, second = _surface(one[window]), _surface(other[window])
    to_second = distance_transform_edt(~second, sampling=grid.spacing)[first]
    to_first = distance_transform_edt(~first, sampling=grid.spacing)[second]
    return to_second, to_first


def assd_mm(a: Region, b: Region, grid: Grid) -> float:
    """Average symmetric surface distance: the mean over the surface voxels of both masks, in millimetres.

    Returns:
        0 where both masks are empty, infinite where one is.

    Raises:
        GeometryError: As `surface_distances`.
    """
    distances = np.concatenate(surface_distances(a, b, grid))
    return float(distances.mean()) if distances.size else 0.0


def hd95_mm(a: Region, b: Region, grid: Grid) -> float:
    """95th percentile of the surface distances, the larger of both directions, in millimetres.

    Returns:
        0 where both masks are empty, infinite where one is.

    Raises:
        GeometryError: As `surface_distances`.
    """
    both = [way for way in surface_distances(a, b, grid) if way.size]
    if any(np.isinf(way).any() for way in both):
        return float("inf")
    return max((float(np.percentile(way, 95)) for way in both), default=0.0)


def _inside(a: Region, b: Region) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if a.shape != b.shape:
        raise GeometryError(
            "mask-shapes",
            f"Expected two masks of one shape, got {tuple(a.shape)} and {tuple(b.shape)}.",
            remedy="Resample one onto the other's grid first.",
        )
    return np.asarray(a) != 0, np.asarray(b) != 0


def _require_grid(inside: NDArray[np.bool_], grid: Grid) -> None:
    if tuple(inside.shape) != grid.shape:
        raise GeometryError(
            "mask-shape",
            f"Expected masks of {grid.shape}, got {tuple(inside.shape)}.",
            remedy="Give the grid that the masks lie on.",
        )
    if not grid.is_orthogonal:
        raise GeometryError(
            "grid-sheared",
            "Expected axes at right angles to measure distances along them, got a sheared grid.",
            remedy="Resample the masks onto a grid without shear first.",
        )


def _surface(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_erosion

    surface: NDArray[np.bool_] = inside & ~binary_erosion(inside)
    return surface


def _window(inside: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box of the array that holds all of `inside`; beyond it everything is outside."""
    ranges = []
    for axis in range(inside.ndim):
        along = np.flatnonzero(inside.any(axis=tuple(other for other in range(inside.ndim) if other != axis)))
        ranges.append(slice(int(along[0]), int(along[-1]) + 1))
    return tuple(ranges)
