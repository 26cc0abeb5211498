"""Closed planar contours become voxels: several a slice, holes, keyholes, contours between slices and crossing ones.

A pixel is inside when its centre is (`datasets.polygon_fill`). Contours of one region in one plane combine by exclusive
or, so that a contour within a contour is a hole; one that enters a hole through a channel (the keyhole technique of
DICOM's ``CLOSED_PLANAR``) gives the same pixels.

A contour between two slices belongs to the nearest slice; half-way belongs to the upper one, so that contours drawn on
slices shifted by half a step keep their number. Where several planes fall to one slice, as when a region was drawn on
a finer reformation, the nearest plane is taken and the others are left out: each slice shows what was drawn closest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.polygon_fill import polygon_mask
from datasets.volume import Grid

Points = NDArray[np.float64]
Pixels = NDArray[np.bool_]

CONTOUR_PLANE_TOLERANCE = 0.1
"""How far a contour's points may lie from its plane, and the plane from a slice to be on it, in slice steps: above the
rounding of coordinates to a tenth of a millimetre, far below the half step of a contour drawn between two slices."""

SAME_PLANE_TOLERANCE = 0.05
"""How far two contours of one plane may lie apart, in slice steps: a tenth of it is usual where coordinates are
rounded, and a reformation of a tenth of the slice distance still has planes of its own."""

OUTSIDE_TOLERANCE_PIXELS = 1.0
"""How far a contour may leave the picture: drawing tools place points on the outer edge of the last pixel."""

_PAIRS_AT_ONCE = 1_000_000
_MOST_PAIRS = 10_000_000
_MOST_OVERLAPS_LOOKED_AT = 2_000


@dataclass(frozen=True)
class _Contour:
    """A contour in voxel coordinates: (n, 2) in plane, and the slice coordinate of its plane."""

    points: Points
    height: float


@dataclass(frozen=True)
class _Patch:
    """The box of pixels from `low` up to `high` (i, j) that a contour lies in, and which of them are inside."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    inside: Pixels

    def within(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> Pixels:
        """The part of `inside` from `low` up to `high`."""
        first, last = low - self.low, high - self.low
        return self.inside[first[0] : last[0], first[1] : last[1]]


def fill_contours(contours: Sequence[Points], grid: Grid, *, subject: str) -> tuple[NDArray[np.uint8], list[Finding]]:
    """A region's contours as a mask.

    Args:
        contours: Each (n, 3) RAS+ millimetres, n ≥ 3, closed from the last point to the first.
        grid: The series' grid.
        subject: What findings call the region.

    Returns:
        Array of `grid.shape`, 1 inside; and warnings: ``contour-between-slices``, ``contour-twice``,
        ``contour-self-crossing``, ``contour-overlap``.

    Raises:
        RejectedInput: A contour that is not parallel to the slices (``contour-off-slice``) or leaves the grid
            (``contour-outside``).
    """
    placed, findings = _without_repeats([_placed(points, grid) for points in contours], subject)
    data = np.zeros(grid.shape, dtype=np.uint8)
    nearest = _nearest_planes(placed)
    overlaps = 0
    for k, plane in nearest.items():
        patches = [_patch(contour.points, grid.shape[:2]) for contour in plane]
        overlaps += _count_overlaps(patches)
        for patch in patches:
            data[patch.low[0] : patch.high[0], patch.low[1] : patch.high[1], k] ^= patch.inside
    findings.extend(_between(placed, nearest, grid=grid, subject=subject))
    crossing = sum(crosses_itself(contour.points) for plane in nearest.values() for contour in plane)
    if crossing:
        findings.append(_warning("contour-self-crossing", f"{crossing} that cross themselves", subject, _EVEN_ODD))
    if overlaps:
        findings.append(_warning("contour-overlap", f"{overlaps} times two that partly overlap", subject, _EVEN_ODD))
    return data, findings


def crosses_itself(points: Points) -> bool:
    """Whether two edges of a polygon (n, 2) cross; edges that touch or run into each other, as a keyhole's, do not.

    A polygon with millions of pairs of edges side by side, which nobody draws, counts as crossing without a look.
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


def _apart(a: Points, b: Points, c: Points, d: Points) -> Pixels:
    """Whether edges a-b and c-d cross: each has its ends strictly on both sides of the other."""
    crosses: Pixels = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
    return crosses


def _side(a: Points, b: Points, c: Points) -> Points:
    """1, 0 or -1: on which side of the line a-b the point c lies; 0 within rounding."""
    one, other = b - a, c - a
    area = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    scale = np.abs(one).max(axis=1) * np.abs(other).max(axis=1)
    return np.where(np.abs(area) <= 1e-9 * scale, 0.0, np.sign(area))


def _placed(points: Points, grid: Grid) -> _Contour:
    voxels = grid.to_voxel(points)
    height = float(np.median(voxels[:, 2]))
    off = float(np.abs(voxels[:, 2] - height).max())
    if off > CONTOUR_PLANE_TOLERANCE:
        raise RejectedInput(
            "contour-off-slice",
            f"Expected every contour parallel to the slices, got one whose points lie up to "
            f"{off * grid.spacing[2]:.2f} mm from its plane.",
            remedy="Export the structure set on the slices of its own series.",
        )
    last = np.array(grid.shape[:2]) - 1 + OUTSIDE_TOLERANCE_PIXELS
    is_beside = (voxels[:, :2] < -OUTSIDE_TOLERANCE_PIXELS).any() or (voxels[:, :2] > last).any()
    if not 0 <= _slice_of(height) < grid.shape[2] or is_beside:
        raise RejectedInput(
            "contour-outside",
            f"Expected every contour within the series ({grid.describe()}), got one outside.",
            remedy="Give the whole series that the structure set was drawn on.",
        )
    return _Contour(voxels[:, :2], height)


def _slice_of(height: float) -> int:
    """The nearest slice; the upper one half-way (to a millionth of a step, whatever the rounding)."""
    return int(np.floor(height + 0.5 + 1e-6))


def _without_repeats(contours: list[_Contour], subject: str) -> tuple[list[_Contour], list[Finding]]:
    """Each contour once: two copies of one would cancel by exclusive or."""
    once: dict[bytes, _Contour] = {}
    for contour in contours:
        once.setdefault(np.round(np.column_stack([contour.points, _column(contour)]), 6).tobytes(), contour)
    repeats = len(contours) - len(once)
    findings = [_warning("contour-twice", f"{repeats} a second time", subject, "Each was used once.")]
    return list(once.values()), findings if repeats else []


def _column(contour: _Contour) -> Points:
    return np.full(len(contour.points), contour.height)


def _nearest_planes(contours: list[_Contour]) -> dict[int, list[_Contour]]:
    """The contours of each slice: those of the plane that lies nearest to it."""
    by_slice: dict[int, list[_Contour]] = {}
    for contour in contours:
        by_slice.setdefault(_slice_of(contour.height), []).append(contour)
    nearest = {}
    for k, candidates in sorted(by_slice.items()):
        _, height = min((abs(contour.height - k), contour.height) for contour in candidates)
        nearest[k] = [contour for contour in candidates if abs(contour.height - height) <= SAME_PLANE_TOLERANCE]
    return nearest


def _between(
    contours: list[_Contour], nearest: dict[int, list[_Contour]], *, grid: Grid, subject: str
) -> Iterator[Finding]:
    distances = [abs(contour.height - k) for k, plane in nearest.items() for contour in plane]
    moved = [distance for distance in distances if distance > CONTOUR_PLANE_TOLERANCE]
    left_out = len(contours) - len(distances)
    if moved or left_out:
        farthest = max(distances) * grid.spacing[2]
        yield _warning(
            "contour-between-slices",
            f"{len(moved) + left_out} between slices",
            subject,
            f"{len(moved)} went to the nearest slice, up to {farthest:.2f} mm away; {left_out} lay further from their "
            f"slice than another plane and were left out.",
        )


def _patch(points: Points, shape: tuple[int, int]) -> _Patch:
    low = np.clip(np.floor(points.min(axis=0)), 0, shape).astype(np.int64)
    high = np.clip(np.floor(points.max(axis=0)) + 1, low, shape).astype(np.int64)
    return _Patch(low, high, polygon_mask(points - low, (int(high[0] - low[0]), int(high[1] - low[1]))))


def _count_overlaps(patches: list[_Patch]) -> int:
    """Pairs of contours of one plane that share pixels although neither lies within the other.

    Beyond `_MOST_OVERLAPS_LOOKED_AT` pairs whose boxes meet, which nobody draws, pairs count without a look.
    """
    looked_at = overlaps = 0
    for place, one in enumerate(patches):
        for other in patches[:place]:
            low, high = np.maximum(one.low, other.low), np.minimum(one.high, other.high)
            if (low < high).all():
                looked_at += 1
                overlaps += looked_at > _MOST_OVERLAPS_LOOKED_AT or _overlap(one, other, low=low, high=high)
    return overlaps


def _overlap(one: _Patch, other: _Patch, *, low: NDArray[np.int64], high: NDArray[np.int64]) -> bool:
    shared = np.count_nonzero(one.within(low, high) & other.within(low, high))
    return bool(0 < shared < min(np.count_nonzero(one.inside), np.count_nonzero(other.inside)))


_EVEN_ODD = "What lies inside an even number of turns counts as outside."


def _warning(code: str, got: str, subject: str, rule: str) -> Finding:
    return Finding(
        Level.WARNING,
        code,
        f"Expected simple closed contours on the slices, got {got}. {rule}",
        "Look at the mask; if it is wrong, mend the contours in the drawing tool and export again.",
        subject,
    )
