"""Duplicate contours: two outlines that run along one another are one, wherever they begin and whichever way.

Two copies of one contour would cancel by exclusive or, and nothing of the region would be left but its rim.
"""

from collections.abc import Sequence

import numpy as np

from datasets.image.volume import Points

REPEAT_TOLERANCE_MM = 0.02
"""How far two outlines of one contour may lie apart: above the rounding of coordinates to two decimals."""

REPEAT_TOLERANCE_PIXELS = 0.5
"""The same as a share of a pixel, the larger counting: nobody draws a hole whose rim is everywhere thinner."""

RIM_PIXELS = 1.0
"""Below this width everywhere, the rim between a contour and a hole in it deserves a look."""

_MOST_TURNS = 3
_MOST_ENDS = 20
_LEAST_CORNERS = 3
_LEAST_WIDTH = 4.0
"""In tolerances: any two parts of a narrower contour run along one another, so only identical rounds are repeats."""

_CLOSING_EDGES = 1.5
_FLAT_MM = 1e-3
_MOST_PAIRS = 4_000_000


def repeat_tolerance(spacing: tuple[float, float]) -> float:
    """How far two outlines of one contour may lie apart in millimetres, for pixels of that size."""
    return max(REPEAT_TOLERANCE_MM, REPEAT_TOLERANCE_PIXELS * min(spacing))


def once_round(points: Points, tolerance: float) -> Points:
    """The polygon (n, 2) without repetitions of its outline, also those from another point, in the other direction or
    with other points."""
    if np.ptp(points, axis=0).min() <= _LEAST_WIDTH * tolerance:
        tolerance = min(tolerance, REPEAT_TOLERANCE_MM)
    for turns in range(2, _MOST_TURNS + 1):
        size, left = divmod(len(points), turns)
        if not left and size >= 3:
            rounds = points.reshape(turns, size, 2)
            if np.linalg.norm(rounds - rounds[0], axis=-1).max() <= tolerance:
                return once_round(rounds[0].copy(), tolerance)
    for size in _ends_of_a_round(points, tolerance):
        if outline_distance(points[:size], points[size:]) <= tolerance:
            return once_round(points[:size].copy(), tolerance)
    return points


def is_flat(points: Points) -> bool:
    """Whether all points (n, 2) in millimetres lie on one line, and enclose nothing."""
    _, _, ways = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    return bool(np.ptp(points @ ways[-1]) <= _FLAT_MM)


def _ends_of_a_round(points: Points, tolerance: float) -> list[int]:
    """Numbers of points after which a polygon may be closed and repeat its outline.

    Both parts then have the same extent, and each ends where it began: no further away than its edges are long.
    """
    if len(points) < 2 * _LEAST_CORNERS:
        return []
    forth, back = (
        np.column_stack([np.minimum.accumulate(way), np.maximum.accumulate(way)]) for way in (points, points[::-1])
    )
    is_alike = np.abs(forth[:-1] - back[::-1][1:]).max(axis=1) <= tolerance
    sizes = np.flatnonzero(is_alike) + 1
    closed = [
        int(size)
        for size in sizes
        if _LEAST_CORNERS <= size <= len(points) - _LEAST_CORNERS
        if _is_closed(points[:size], tolerance) and _is_closed(points[size:], tolerance)
    ]
    return closed[:_MOST_ENDS]


def _is_closed(path: Points, tolerance: float) -> bool:
    edges = np.linalg.norm(np.diff(path, axis=0), axis=1)
    return bool(np.linalg.norm(path[-1] - path[0]) <= max(_CLOSING_EDGES * float(edges.max()), tolerance))


def distinct(outlines: Sequence[Points], tolerance: float) -> list[int]:
    """Numbers of the outlines that do not run along an earlier one, within `tolerance`."""
    boxes = _boxes(outlines)
    kept: list[int] = []
    for index, outline in enumerate(outlines):
        near = [kept[place] for place in _alike(boxes[kept], boxes[index], tolerance)]
        if not any(outline_distance(outline, outlines[other]) <= tolerance for other in near):
            kept.append(index)
    return kept


def close_pairs(outlines: Sequence[Points], most: float) -> int:
    """How many pairs of outlines run along one another, nowhere further apart than `most`."""
    boxes = _boxes(outlines)
    return sum(
        outline_distance(outline, outlines[other]) <= most
        for index, outline in enumerate(outlines)
        for other in _alike(boxes[:index], boxes[index], most)
    )


def outline_distance(one: Points, other: Points) -> float:
    """How far two outlines lie apart at the most, in the unit of their points.

    Args:
        one: (n, 2), closed from the last point to the first.
        other: (m, 2), likewise; it may begin elsewhere, run the other way and have other points on the same outline.
    """
    if len(one) * len(other) > _MOST_PAIRS:  # nobody draws that many points
        return float(np.linalg.norm(one - other, axis=1).max()) if one.shape == other.shape else np.inf
    return max(_farthest(one, other), _farthest(other, one))


def _boxes(outlines: Sequence[Points]) -> Points:
    """(n, 4): lowest and highest coordinates."""
    return np.array([np.concatenate([points.min(axis=0), points.max(axis=0)]) for points in outlines]).reshape(-1, 4)


def _alike(boxes: Points, box: Points, within: float) -> list[int]:
    """Which boxes have all their sides near those of another."""
    found: list[int] = np.flatnonzero((np.abs(boxes - box) <= within).all(axis=1)).tolist()
    return found


def _farthest(one: Points, other: Points) -> float:
    """Largest distance of a corner, or the middle of an edge, of `one` from the outline of `other`."""
    places = np.concatenate([one, (one + np.roll(one, -1, axis=0)) / 2])
    start, way = other, np.roll(other, -1, axis=0) - other
    length = np.maximum((way**2).sum(axis=1), np.finfo(np.float64).tiny)
    farthest = 0.0
    for part in np.array_split(places, max(1, len(places) * len(other) // 500_000)):
        offset = part[:, None] - start
        along = np.clip((offset * way).sum(axis=-1) / length, 0.0, 1.0)
        apart = np.linalg.norm(offset - along[..., None] * way, axis=-1).min(axis=1)
        farthest = max(farthest, float(apart.max(initial=0.0)))
    return farthest
