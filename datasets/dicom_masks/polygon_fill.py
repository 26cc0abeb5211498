"""Filling a closed polygon on a pixel grid: which pixel centres lie inside its outline or on it.

Rows are crossed one by one and all at once: the work grows with the outline's length, not with its area times its
number of points, so that a contour drawn with a thousand points costs about a millisecond.
"""

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside

ON_OUTLINE_PIXELS = 1e-6
"""A centre nearer to the outline than this, along its row, lies on it: above the rounding of float64 coordinates."""


def polygon_mask(points: NDArray[np.float64], shape: tuple[int, int]) -> Inside:
    """The pixels of a picture whose centres are inside a polygon (even-odd rule) or on its outline.

    Args:
        points: (n, 2) corners as (row, column), n ≥ 1, not closed; a pixel's centre lies at whole numbers. May leave
            the picture.
        shape: Rows and columns of the picture.

    Returns:
        Boolean array of `shape`.
    """
    following = np.roll(points, -1, axis=0)
    rows, columns = _crossings(points, following, shape[0])
    toggles = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(toggles, (rows, np.clip(np.ceil(columns), 0, shape[1]).astype(int)), 1)
    mask: Inside = np.cumsum(toggles[:, :-1], axis=1) % 2 == 1
    for on_row, on_column in (_whole(np.column_stack([rows, columns])), _whole(points)):
        _mark(mask, on_row, on_column)
    _mark_level_edges(mask, points, following)
    return mask


def _crossings(
    start: NDArray[np.float64], end: NDArray[np.float64], height: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row and column of each place where an edge crosses a row of pixel centres; an edge's upper end counts, its lower
    end does not, so that a corner on a row counts once."""
    top, bottom = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first = np.clip(np.ceil(top), 0, height).astype(np.int64)
    count = np.clip(np.ceil(bottom), 0, height).astype(np.int64) - first
    edge = np.repeat(np.arange(len(start)), count)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    slope = (end[edge, 1] - start[edge, 1]) / (end[edge, 0] - start[edge, 0])
    return rows, start[edge, 1] + (rows - start[edge, 0]) * slope


def _whole(places: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the places (n, 2) that are pixel centres."""
    nearest = np.rint(places)
    chosen = nearest[(np.abs(places - nearest) <= ON_OUTLINE_PIXELS).all(axis=1)].astype(np.int64)
    return chosen[:, 0], chosen[:, 1]


def _mark(mask: Inside, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
    inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
    mask[rows[inside], columns[inside]] = True


def _mark_level_edges(mask: Inside, start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Centres on edges that run along a row, which cross none."""
    row = np.rint(start[:, 0])
    level = (np.abs(start[:, 0] - row) <= ON_OUTLINE_PIXELS) & (np.abs(end[:, 0] - row) <= ON_OUTLINE_PIXELS)
    for index in np.flatnonzero(level & (row >= 0) & (row < mask.shape[0])):
        left, right = sorted((start[index, 1], end[index, 1]))
        first = max(0, int(np.ceil(left - ON_OUTLINE_PIXELS)))
        mask[int(row[index]), first : max(0, int(np.floor(right + ON_OUTLINE_PIXELS)) + 1)] = True
