"""Contours that stand twice: two outlines that run along one another are one, wherever they begin and whichever way.

Two copies of one contour would cancel by exclusive or, and nothing of the region would be left but its rim.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

REPEAT_TOLERANCE_MM = 0.02
"""How far two outlines of one contour may lie apart: above what writing coordinates with two decimals moves them."""

REPEAT_TOLERANCE_PIXELS = 0.5
"""The same as a share of a pixel, the larger counting: nobody draws a hole whose rim is everywhere thinner."""

RIM_PIXELS = 1.0
"""Below this width everywhere, the rim between a contour and a hole in it deserves a look."""

_MOST_TURNS = 3
_MOST_PAIRS = 4_000_000


def repeat_tolerance(spacing: tuple[float, float]) -> float:
    """How far two outlines of one contour may lie apart in millimetres, for pixels of that size."""
    return max(REPEAT_TOLERANCE_MM, REPEAT_TOLERANCE_PIXELS * min(spacing))


def once_round(points: Points, tolerance: float) -> Points:
    """The polygon (n, 2) without its second and third time round, where it runs along the same outline again."""
    for turns in range(2, _MOST_TURNS + 1):
        size, left = divmod(len(points), turns)
        if not left and size >= 3:
            rounds = points.reshape(turns, size, 2)
            if np.linalg.norm(rounds - rounds[0], axis=-1).max() <= tolerance:
                return rounds[0].copy()
    return points


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
