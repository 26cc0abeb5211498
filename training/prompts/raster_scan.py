"""The raster scans of geodesic distance maps, compiled.

Of a voxel's 13 neighbours in a scan, 12 lie in other rows: these are worked off row by row, which the compiler turns
into vector instructions. One lies before it in its own row and has to be taken voxel by voxel, last; the smallest of
13 does not depend on their order. Rows are copied and cleared by loops: numba's slice assignment took twice as long. A
row is skipped while neither it nor the rows it reads have changed since it was last scanned in this direction, since
its result would be the same.

The half of the neighbourhood is GeodisTK's and not the usual one of a raster scan: it reads the next plane too.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_ROWS = ((-1, -1), (-1, 0), (0, -1), (1, -1), (1, 0))
"""Other rows (i, j) that the forward scan reads; the backward scan reads the opposite ones."""

_COLUMNS = ((-1, 0, 1), (-1, 0), (-1, 0, 1), (-1, 0, 1), (-1,))
"""Columns (k) that it reads in each of these rows."""

_NEIGHBOURS = np.array([(*row, column) for row, columns in zip(_ROWS, _COLUMNS, strict=True) for column in columns])

_EPSILON = np.float32(1e-5)
"""Added to a change of intensity, so that a step through a flat region costs something."""


@njit(cache=True, nogil=True)
def raster_scan(
    image: NDArray[np.float32],
    distance: NDArray[np.float32],
    spacing: NDArray[np.float32],
    lam: np.float32,
    iterations: int,
) -> None:
    """Lowers `distance` in place by forward and backward scans.

    Args:
        image: (channels, i + 2, j + 2, k + 2), contiguous, a margin of one voxel on every side.
        distance: (i + 2, j + 2, k + 2), 0 at the seeds, else and in the margin `geodesic.UNREACHED`.
        spacing: Three, in mm.
        lam: 0 to 1.
        iterations: Pairs of scans.
    """
    rows = distance.shape[:2]
    changed = np.zeros(rows, np.int64)
    for i in range(rows[0]):
        for j in range(rows[1]):
            if (distance[i, j] == 0).any():
                changed[i, j] = 1
    scanned = np.zeros((2, *rows), np.int64)
    clock = 1
    for _ in range(iterations):
        before = clock
        for direction in (1, -1):
            clock = _scan(image, distance, spacing, lam, direction, changed, scanned[(1 - direction) // 2], clock)
        if clock == before:
            return


@njit(cache=True, nogil=True)
def _scan(image, distance, spacing, lam, direction, changed, scanned, clock):  # type: ignore[no-untyped-def]
    """One scan over all rows; returns the clock, which every scanned row moves on."""
    rows = distance.shape[0] - 2, distance.shape[1] - 2
    lowest = np.empty(distance.shape[2] - 2, np.float32)
    step = np.empty_like(lowest)
    for at in range(rows[0] * rows[1]):
        place = at if direction > 0 else rows[0] * rows[1] - 1 - at
        i, j = place // rows[1] + 1, place % rows[1] + 1
        if not _is_due(changed, scanned, i, j, direction):
            continue
        clock += 1
        scanned[i, j] = clock
        if _lower_row(image, distance, spacing, lam, direction, i, j, lowest, step):
            changed[i, j] = clock
    return clock


@njit(cache=True, nogil=True)
def _is_due(changed, scanned, i, j, direction):  # type: ignore[no-untyped-def]
    """Whether the row or one that it reads has changed since it was last scanned in this direction."""
    since = scanned[i, j]
    due = changed[i, j] > since
    for di, dj in _ROWS:
        due |= changed[i + direction * di, j + direction * dj] > since
    return due


@njit(cache=True, nogil=True)
def _lower_row(image, distance, spacing, lam, direction, i, j, lowest, step):  # type: ignore[no-untyped-def]
    """Lowers one row; returns whether anything became lower."""
    row = distance[i, j, 1 : lowest.shape[0] + 1]
    for k in range(lowest.shape[0]):
        lowest[k] = row[k]
    for n in range(_NEIGHBOURS.shape[0]):
        di, dj, dk = direction * _NEIGHBOURS[n, 0], direction * _NEIGHBOURS[n, 1], direction * _NEIGHBOURS[n, 2]
        from_there = distance[i + di, j + dj, 1 + dk : lowest.shape[0] + 1 + dk]
        if image.shape[0] == 1 and lam == np.float32(1.0):
            _lower_by_one_image(image, spacing, i, j, di, dj, dk, from_there, lowest)
        else:
            _fill_steps(image, spacing, lam, i, j, di, dj, dk, step)
            for k in range(lowest.shape[0]):
                way = from_there[k] + step[k]
                lowest[k] = way if way < lowest[k] else lowest[k]
    _fill_steps(image, spacing, lam, i, j, 0, 0, -direction, step)
    return _run_along(row, lowest, step, direction)


@njit(cache=True, nogil=True, inline="always")
def _lower_by_one_image(image, spacing, i, j, di, dj, dk, from_there, lowest):  # type: ignore[no-untyped-def]
    """The usual case, one channel and `lam` 1, in one loop: a third faster than through `_fill_steps`."""
    count = lowest.shape[0]
    length = _length(spacing, di, dj, dk)
    here, there = image[0, i, j, 1 : count + 1], image[0, i + di, j + dj, 1 + dk : count + 1 + dk]
    for k in range(count):
        way = from_there[k] + length * (abs(here[k] - there[k]) + _EPSILON)
        lowest[k] = way if way < lowest[k] else lowest[k]


@njit(cache=True, nogil=True)
def _run_along(row, lowest, step, direction):  # type: ignore[no-untyped-def]
    """Follows the path along the row itself, writes the row, and returns whether it changed."""
    count = row.shape[0]
    before = np.float32(np.inf)
    changed = False
    for at in range(count):
        k = at if direction > 0 else count - 1 - at
        way = before + step[k]
        before = way if way < lowest[k] else lowest[k]
        changed |= before < row[k]
        row[k] = before
    return changed


@njit(cache=True, nogil=True)
def _fill_steps(image, spacing, lam, i, j, di, dj, dk, step):  # type: ignore[no-untyped-def]
    """The cost of the step to every voxel of row (i, j) from its neighbour at (di, dj, dk)."""
    _fill_norms(image, i, j, di, dj, dk, step)
    length = _length(spacing, di, dj, dk)
    if lam == np.float32(1.0):
        for k in range(step.shape[0]):
            step[k] = length * (step[k] + _EPSILON)
    else:
        for k in range(step.shape[0]):
            step[k] = length / ((np.float32(1.0) - lam) + lam / (step[k] + _EPSILON))


@njit(cache=True, nogil=True)
def _fill_norms(image, i, j, di, dj, dk, step):  # type: ignore[no-untyped-def]
    """The norm of the change of intensity over all channels."""
    count = step.shape[0]
    for k in range(count):
        step[k] = np.float32(0.0)
    for channel in range(image.shape[0]):
        here, there = image[channel, i, j, 1 : count + 1], image[channel, i + di, j + dj, 1 + dk : count + 1 + dk]
        for k in range(count):
            change = here[k] - there[k]
            step[k] += change * change
    for k in range(count):
        step[k] = np.sqrt(step[k])


@njit(cache=True, nogil=True)
def _length(spacing, di, dj, dk):  # type: ignore[no-untyped-def]
    """How long the step is, in mm."""
    return np.float32(np.sqrt((spacing[0] * di) ** 2 + (spacing[1] * dj) ** 2 + (spacing[2] * dk) ** 2))
