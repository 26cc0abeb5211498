"""Whether a polygon's edges cross each other, found in bounded time however many points it has."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from datasets.image.volume import Points

_PAIRS_AT_ONCE = 1_000_000
_MOST_PAIRS = 10_000_000


def crosses_itself(points: Points) -> bool:
    """Whether two edges of a polygon (n, 2) cross; edges that touch or run into each other, as a keyhole's, do not.

    A polygon with millions of pairs of edges side by side, which nobody draws, counts as crossing without a check.
    """
    start, end = points, np.roll(points, -1, axis=0)
    order = np.argsort(np.minimum(start[:, 1], end[:, 1]), kind="stable")
    start, end = start[order], end[order]
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    until = np.searchsorted(low, high, side="right")
    counts = np.maximum(until - np.arange(len(low)) - 1, 0)  # partners further up the order that begin below the end
    if counts.sum() > _MOST_PAIRS:
        return True
    for first, last in _batches(counts):
        one = np.repeat(np.arange(first, last), counts[first:last])
        within = np.arange(len(one)) - np.repeat(np.cumsum(counts[first:last]) - counts[first:last], counts[first:last])
        other = one + 1 + within
        if (_apart(start[one], end[one], start[other], end[other])).any():
            return True
    return False


def _batches(counts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs of edges with a bounded number of pairs each."""
    total = np.cumsum(counts)
    first = 0
    while first < len(counts):
        done = total[first - 1] if first else 0
        last = max(int(np.searchsorted(total, done + _PAIRS_AT_ONCE)), first + 1)
        yield first, last
        first = last


def _apart(a: Points, b: Points, c: Points, d: Points) -> NDArray[np.bool_]:
    """Whether edges a-b and c-d cross: each has its ends strictly on both sides of the other."""
    crosses: NDArray[np.bool_] = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
    return crosses


def _side(a: Points, b: Points, c: Points) -> Points:
    """1, 0 or -1: on which side of the line a-b the point c lies; 0 within rounding."""
    one, other = b - a, c - a
    area = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    scale = np.abs(one).max(axis=1) * np.abs(other).max(axis=1)
    return np.where(np.abs(area) <= 1e-9 * scale, 0.0, np.sign(area))
