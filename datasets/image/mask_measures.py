"""How far two masks on one grid lie on each other: Dice, and the distances in millimetres between their surfaces.

The surface of a mask is the same for all measures: the voxels inside that have a face neighbour outside, at their
centres; the volume's border counts as outside, but along an axis of one voxel there is no outside (a single slice has
a rim, not two faces). It is the surface of MONAI's voxel-based measures, not the triangles of a mesh.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError
from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid

MaskArray = NDArray[Any]
"""A mask as an array of any type; values other than 0 are inside."""

_NOWHERE = (slice(0, 0),) * 3
"""The window of two empty masks."""


def dice(a: MaskArray, b: MaskArray) -> float:
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


def surface_distances(a: MaskArray, b: MaskArray, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances in millimetres from each surface voxel of one mask to the other's nearest surface voxel.

    A surface voxel is one inside with a face neighbour outside; the volume's border counts as outside.

    Args:
        a: Array of `grid.shape`; non-zero is inside.
        b: Array of `grid.shape`.
        grid: Grid of both.

    Returns:
        From a to b and from b to a; infinite where the other mask is empty.

    Raises:
        GeometryError: An array has another shape than the grid, or the grid's axes are not at right angles.
    """
    return distances_between(*in_window(a, b, grid), grid)


def in_window(a: MaskArray, b: MaskArray, grid: Grid) -> tuple[Inside, Inside]:
    """Both masks in the smallest box that holds both: beyond it all is outside, so that no measure differs."""
    one, other = _inside(a, b)
    require_grid(grid, one)
    window = mask_box(one | other) or _NOWHERE
    return one[window], other[window]


def distances_between(one: Inside, other: Inside, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances in both directions between the surfaces of two masks, cut to a window beyond which all is outside."""
    flat = [axis for axis in range(3) if grid.shape[axis] == 1]
    first, second = _surface(one, flat), _surface(other, flat)
    return to_nearest(second, first, grid.spacing), to_nearest(first, second, grid.spacing)


def require_grid(grid: Grid, *masks: MaskArray) -> None:
    """Refuses masks that do not lie on a grid, and a grid on which no distance is measured.

    Raises:
        GeometryError: A mask has another shape than the grid, or the grid's axes are not at right angles.
    """
    for mask in masks:
        if tuple(mask.shape) != grid.shape:
            raise GeometryError(
                "mask-shape",
                f"Expected masks of {grid.shape}, got {tuple(mask.shape)}.",
                remedy="Give the grid that the masks lie on.",
            )
    if not grid.is_orthogonal:
        raise GeometryError(
            "grid-sheared",
            "The grid is sheared; distances are measured along axes at right angles only.",
            remedy="Resample the masks onto a grid without shear first.",
        )


def to_nearest(surface: Inside, at: Inside, spacing: Sequence[float]) -> NDArray[np.float64]:
    """Distances in millimetres to the nearest voxel of a surface.

    Args:
        surface: bool of two or three axes.
        at: bool of the same shape, the voxels to measure from, N of them.
        spacing: Millimetres along each axis, at right angles to each other.

    Returns:
        (N,) in the order of the array; infinite where the surface is empty.
    """
    if not surface.any():
        return np.full(np.count_nonzero(at), np.inf)
    from edt import edt

    # As numbers: of truth values the transform is half as fast.
    away = np.asfortranarray(~surface).view(np.uint8)
    found = edt(away, anisotropy=tuple(spacing), black_border=False, parallel=1)
    return np.asarray(found[at], dtype=np.float64)


def _surface(inside: Inside, flat: list[int]) -> Inside:
    """Voxels inside with a face neighbour outside, whatever lies along the flat axes."""
    around = np.pad(inside, 1)
    middle = [slice(1, -1)] * inside.ndim
    core = np.ones_like(inside)
    for axis in set(range(inside.ndim)) - set(flat):
        for neighbours in (slice(None, -2), slice(2, None)):
            core &= around[tuple(neighbours if at == axis else cut for at, cut in enumerate(middle))]
    surface: Inside = inside & ~core
    return surface


def _inside(a: MaskArray, b: MaskArray) -> tuple[Inside, Inside]:
    if a.shape != b.shape:
        raise GeometryError(
            "mask-shapes",
            f"Expected two masks of one shape, got {tuple(a.shape)} and {tuple(b.shape)}.",
            remedy="Resample one onto the other's grid first.",
        )
    return _as_inside(a), _as_inside(b)


def _as_inside(mask: MaskArray) -> Inside:
    return mask if mask.dtype == np.bool_ else np.asarray(mask != 0)
