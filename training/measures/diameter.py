"""Diameters of a mask: in one slice the longest and the short axis across it, as a radiologist measures; and in 3D.

All are between the centres of voxels. PyRadiomics' `Maximum2DDiameterSlice` measures between the vertices of a mesh
instead, which lie up to half a voxel further out at either end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside
from datasets.image.volume import Grid, Points

Place = tuple[float, float, float]
"""Voxel coordinates (i, j, k) of a point, which may lie between centres."""


_FEW_POINTS = 300
"""So few are compared each with each faster than their hull is found."""


@dataclass(frozen=True)
class Diameter:
    """A straight line in a slice.

    Args:
        length_mm: From end to end.
        ends: Voxel coordinates of both.
    """

    length_mm: float
    ends: tuple[Place, Place]


@dataclass(frozen=True)
class Diameters:
    """The two diameters of RECIST.

    Args:
        slice_index: The slice that holds the longest one; of two as long, the first.
        longest: Between the two voxels of the slice that lie farthest apart.
        short: The longest line at right angles to it inside the convex hull of the slice's voxels; its ends lie on the
            hull, so that where the outline bends inwards it may cross voxels outside.
    """

    slice_index: int
    longest: Diameter
    short: Diameter


def recist_diameters(inside: NDArray[Any], grid: Grid, slice_axis: int) -> Diameters | None:
    """The longest diameter of a mask in any slice, and the short axis at right angles to it in the same slice.

    Args:
        inside: 3D array of `grid.shape`; non-zero is inside.
        grid: Its grid.
        slice_axis: The grid axis that runs through the slices.

    Returns:
        None for an empty mask; lengths of 0 for single voxels.

    Source: Eisenhauer et al., Eur J Cancer 2009;45:228-247 (RECIST 1.1: longest diameter in the plane of measurement,
    short axis at right angles to it).
    """
    plane = _plane(grid, slice_axis)
    best: tuple[float, int, Points] | None = None
    for index, corners in _largest_first(inside, plane, slice_axis):
        points = corners @ plane
        if best is not None and _box_diagonal(points) < best[0]:
            break
        length, pair = _farthest(points)
        if best is None or (-length, index) < (-best[0], best[1]):
            best = length, index, corners[list(pair)]
    if best is None:
        return None
    length, index, ends = best
    picture = np.asarray(inside).take(index, slice_axis) != 0
    return Diameters(
        index,
        Diameter(length, _places(ends, index, slice_axis)),
        _short_axis(_corners(picture), ends, plane, index, slice_axis),
    )


def transverse_diameter_mm(inside: NDArray[Any], grid: Grid, slice_axis: int) -> float:
    """The largest distance between the centres of two voxels of a mask that lie in one slice, in millimetres.

    Args:
        inside: 3D array; non-zero is inside. May be a part cut from the grid: only directions and spacings are used.
        grid: Its grid.
        slice_axis: The grid axis that runs through the slices.

    Returns:
        0 for an empty mask and for single voxels.

    Source: InteractiveNet, "Agreement of volume and diameter measurements".
    """
    found = recist_diameters(inside, grid, slice_axis)
    return found.longest.length_mm if found else 0.0


def diameter_3d_mm(inside: NDArray[Any], grid: Grid) -> float:
    """The largest distance between the centres of any two voxels of a mask, in millimetres.

    Args:
        inside: 3D array; non-zero is inside. May be a part cut from the grid: only directions and spacings are used.
        grid: Its grid.

    Returns:
        0 for an empty mask and for a single voxel.
    """
    from scipy.spatial.distance import pdist

    mask = np.asarray(inside) != 0
    if not mask.any():
        return 0.0
    points = _on_hull(_corners(mask) @ grid.affine[:3, :3].T)
    return float(pdist(points).max(initial=0.0))


def _on_hull(points: Points) -> Points:
    """The corners of the convex hull of points (N, 3); all of them where they are few or lie in one plane."""
    from scipy.spatial import ConvexHull, QhullError

    if len(points) <= _FEW_POINTS:
        return points
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:  # all in one plane
        return points


def _plane(grid: Grid, slice_axis: int) -> NDArray[np.float64]:
    """(2, 2) from voxel steps in a slice to millimetres in it, with all lengths and angles kept."""
    axes = np.delete(grid.affine[:3, :3], slice_axis, axis=1)
    turned: NDArray[np.float64] = np.linalg.qr(axes)[1].T
    return turned


def _largest_first(
    inside: NDArray[Any], plane: NDArray[np.float64], slice_axis: int
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Index and rim of each slice that is drawn in, the largest box first.

    A slice whose box is smaller than the longest diameter so far cannot hold a longer one.
    """
    slices = np.moveaxis(np.asarray(inside) != 0, slice_axis, 0)
    rims = [(index, _corners(slices[index])) for index in np.flatnonzero(slices.any(axis=(1, 2)))]
    for index, rim in sorted(rims, key=lambda found: (-_box_diagonal(found[1] @ plane), found[0])):
        yield int(index), rim


def _corners(inside: Inside) -> NDArray[np.float64]:
    """The (N, axes) voxels at the ends of their line along every axis: the convex hull's corners are among them."""
    ends = inside.copy()
    for axis in range(inside.ndim):
        of_lines = np.zeros_like(inside)
        first, last = inside.argmax(axis, keepdims=True), np.flip(inside, axis).argmax(axis, keepdims=True)
        np.put_along_axis(of_lines, first, True, axis)
        np.put_along_axis(of_lines, inside.shape[axis] - 1 - last, True, axis)
        ends &= of_lines
    return np.argwhere(ends).astype(np.float64)


def _box_diagonal(points: Points) -> float:
    """Diagonal of the box around the points (N, 2): no two points lie farther apart."""
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _farthest(points: Points) -> tuple[float, tuple[int, int]]:
    """The largest distance between two of the points (N, 2), and which two they are; the first of pairs as far."""
    from scipy.spatial.distance import pdist, squareform

    if len(points) == 1:
        return 0.0, (0, 0)
    apart = pdist(points)
    first, second = np.argwhere(squareform(apart >= apart.max() * (1 - 1e-12)))[0]
    return float(apart.max()), (int(first), int(second))


def _short_axis(
    corners: NDArray[np.float64], ends: Points, plane: NDArray[np.float64], index: int, slice_axis: int
) -> Diameter:
    """The longest chord of the hull across a line; a chord's length is concave, so that it is longest at a corner."""
    points, line = corners @ plane, ends @ plane
    length = float(np.linalg.norm(line[1] - line[0]))
    if not length:
        return Diameter(0.0, _places(ends, index, slice_axis))
    along = (line[1] - line[0]) / length
    across = np.array([-along[1], along[0]])
    t, u = (points - line[0]) @ along, (points - line[0]) @ across
    places = np.unique(np.clip(t, 0.0, length))
    upper, lower = np.interp(places, *_upper_hull(t, u)), -np.interp(places, *_upper_hull(t, -u))
    widest = int((upper - lower).round(9).argmax())
    at, low, high = places[widest], lower[widest], upper[widest]
    found = line[0] + np.outer([at, at], along) + np.outer([low, high], across)
    return Diameter(float(high - low), _places(found @ np.linalg.inv(plane), index, slice_axis))


def _upper_hull(t: NDArray[np.float64], u: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Corners of the upper hull of points (t, u), from left to right (Andrew's monotone chain)."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted(zip(t.tolist(), u.tolist(), strict=True)):
        while hull and hull[-1][0] == x:
            hull.pop()
        while len(hull) > 1 and _turns_left(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    return [x for x, _ in hull], [y for _, y in hull]


def _turns_left(first: tuple[float, float], second: tuple[float, float], third: tuple[float, float]) -> bool:
    """Whether the way over three points turns left or goes straight on: then the middle one is no corner."""
    (x0, y0), (x1, y1), (x2, y2) = first, second, third
    return (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0) >= 0


def _places(points: Points, index: int, slice_axis: int) -> tuple[Place, Place]:
    first, second = np.insert(points, slice_axis, index, axis=1).tolist()
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])
