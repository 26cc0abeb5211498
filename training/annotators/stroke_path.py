"""The path of a simulated brush over a picture, compiled: from pixel to pixel, always to where it corrects most.

All lengths are in pixels. `worth` is the effect of covering a pixel: 1 corrects it, -1 makes it wrong, 0 none.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_STEPS = np.array([(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)])

_DIAGONAL = 2.0**0.5

LEAST_GAIN = 0.5
"""Pixels that a step has to correct; below that the brush is lifted."""


@njit(cache=True, nogil=True)
def stroke_path(
    worth: NDArray[np.int8],
    allowed: NDArray[np.bool_],
    start: NDArray[np.int64],
    radius: float,
    longest: float,
) -> tuple[NDArray[np.int64], int, float]:
    """Moves a brush from `start` as long as it corrects something.

    A step goes to the neighbour that corrects most per pixel of path. If none corrects anything, the brush moves over
    the allowed pixels to the nearest that does.

    Args:
        worth: int8 (height, width), 1, 0 or -1; not changed.
        allowed: bool (height, width), where the brush's middle may be; `start` is one.
        start: Row and column.
        radius: Of the brush.
        longest: Most length of the path.

    Returns:
        Rows and columns of the path (N, 2); pixels corrected less pixels made wrong; its length.
    """
    left = worth.copy()
    path = np.empty((int(longest) + 3, 2), np.int64)
    path[0] = start
    gain = _cover(left, start[0], start[1], radius)
    best_count, best_gain, best_length = 1, gain, 0.0
    count, length, heading = 1, 0.0, -1
    while True:
        row, column = path[count - 1]
        found, rate = -1, LEAST_GAIN
        for direction in range(8):
            to_row, to_column = row + _STEPS[direction, 0], column + _STEPS[direction, 1]
            step = _DIAGONAL if direction % 2 else 1.0
            if not _is_allowed(allowed, to_row, to_column) or length + step > longest:
                continue
            own = _gain(left, to_row, to_column, radius) / step
            if direction == heading:
                own *= 1.1  # a stroke tends to go straight on
            if own >= rate:
                found, rate = direction, own
        if found >= 0:
            leg: NDArray[np.int64] = np.empty((1, 2), np.int64)
            leg[0, 0], leg[0, 1] = row + _STEPS[found, 0], column + _STEPS[found, 1]
            heading = found
        else:
            leg = _path_to_more(left, allowed, path[count - 1], radius, longest - length)
            heading = -1
            if len(leg) == 0:
                break
        for at in range(len(leg)):
            length += _step_length(path[count - 1], leg[at])
            path[count] = leg[at]
            gain += _cover(left, leg[at, 0], leg[at, 1], radius)
            count += 1
        if gain > best_gain:
            best_count, best_gain, best_length = count, gain, length
    return path[:best_count].copy(), best_gain, best_length


@njit(cache=True, nogil=True)
def gains(worth: NDArray[np.int8], allowed: NDArray[np.bool_], radius: float) -> NDArray[np.int32]:
    """Pixels that a brush on each allowed pixel corrects, int32 (height, width); 0 on the others."""
    height, width = worth.shape
    along = np.zeros((height, width + 1), np.int32)
    for y in range(height):
        for x in range(width):
            along[y, x + 1] = along[y, x] + worth[y, x]
    found = np.zeros((height, width), np.int32)
    reach = int(radius)
    halves = np.array([int(np.sqrt(radius * radius - dy * dy)) for dy in range(-reach, reach + 1)])
    for row in range(height):
        for column in range(width):
            if not allowed[row, column]:
                continue
            for y in range(max(row - reach, 0), min(row + reach, height - 1) + 1):
                half = halves[y - row + reach]
                found[row, column] += along[y, min(column + half + 1, width)] - along[y, max(column - half, 0)]
    return found


@njit(cache=True, nogil=True)
def far_end(allowed: NDArray[np.bool_], start: NDArray[np.int64]) -> NDArray[np.int64]:
    """The allowed pixel that is reached last from `start`, step by step over allowed pixels."""
    before = np.full(allowed.shape, -1, np.int64)
    queue = np.empty((allowed.size, 2), np.int64)
    queue[0] = start
    before[start[0], start[1]] = 0
    head, tail = 0, 1
    while head < tail:
        row, column = queue[head]
        head += 1
        for direction in range(8):
            to_row, to_column = row + _STEPS[direction, 0], column + _STEPS[direction, 1]
            if _is_allowed(allowed, to_row, to_column) and before[to_row, to_column] < 0:
                before[to_row, to_column] = 0
                queue[tail, 0], queue[tail, 1] = to_row, to_column
                tail += 1
    return queue[tail - 1].copy()


@njit(cache=True, nogil=True)
def covered(path: NDArray[np.float64], radius: float, height: int, width: int) -> NDArray[np.bool_]:
    """Pixels whose centres a brush covers along its path.

    Args:
        path: Rows and columns (N, 2), which may be fractions, at most a pixel or two apart.
        radius: Of the brush.
        height: Of the picture.
        width: Of the picture.

    Returns:
        bool (height, width).
    """
    found = np.zeros((height, width), np.bool_)
    for at in range(len(path)):
        row, column = path[at]
        for y in range(max(int(np.ceil(row - radius)), 0), min(int(np.floor(row + radius)), height - 1) + 1):
            half = np.sqrt(max(radius * radius - (y - row) ** 2, 0.0))
            for x in range(max(int(np.ceil(column - half)), 0), min(int(np.floor(column + half)), width - 1) + 1):
                found[y, x] = True
    return found


@njit(cache=True, nogil=True)
def _path_to_more(
    left: NDArray[np.int8], allowed: NDArray[np.bool_], start: NDArray[np.int64], radius: float, longest: float
) -> NDArray[np.int64]:
    """The pixels from `start` (left out) to the nearest allowed one that corrects something; none if it is too far."""
    before = np.full(allowed.size, -1, np.int64)
    steps = np.zeros(allowed.size, np.int64)
    width = allowed.shape[1]
    queue = np.empty(allowed.size, np.int64)
    queue[0] = start[0] * width + start[1]
    before[queue[0]] = queue[0]
    head, tail = 0, 1
    while head < tail:
        here = queue[head]
        head += 1
        if steps[here] * _DIAGONAL > longest:
            break
        row, column = here // width, here % width
        # A wide brush corrects much the same on the next pixel: every fourth is enough. The path has to be worth it.
        looked_at = steps[here] > 0 and (radius < 4.0 or (row % 2 == 0 and column % 2 == 0))
        if looked_at and _gain(left, row, column, radius) >= LEAST_GAIN * max(steps[here], 2):
            leg = np.empty((steps[here], 2), np.int64)
            for at in range(steps[here] - 1, -1, -1):
                leg[at, 0], leg[at, 1] = here // width, here % width
                here = before[here]
            return leg
        for direction in range(8):
            to_row, to_column = row + _STEPS[direction, 0], column + _STEPS[direction, 1]
            if _is_allowed(allowed, to_row, to_column) and before[to_row * width + to_column] < 0:
                before[to_row * width + to_column] = here
                steps[to_row * width + to_column] = steps[here] + 1
                queue[tail] = to_row * width + to_column
                tail += 1
    return np.empty((0, 2), np.int64)


@njit(cache=True, nogil=True)
def _is_allowed(allowed: NDArray[np.bool_], row: int, column: int) -> bool:
    return 0 <= row < allowed.shape[0] and 0 <= column < allowed.shape[1] and allowed[row, column]


@njit(cache=True, nogil=True)
def _step_length(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    return np.sqrt(float((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2))


@njit(cache=True, nogil=True)
def _gain(left: NDArray[np.int8], row: int, column: int, radius: float) -> int:
    """Pixels that a brush on a pixel would still correct."""
    total = 0
    for y in range(max(int(np.ceil(row - radius)), 0), min(int(np.floor(row + radius)), left.shape[0] - 1) + 1):
        half = int(np.sqrt(radius * radius - (y - row) ** 2))
        for x in range(max(column - half, 0), min(column + half, left.shape[1] - 1) + 1):
            total += left[y, x]
    return total


@njit(cache=True, nogil=True)
def _cover(left: NDArray[np.int8], row: int, column: int, radius: float) -> int:
    """Pixels that a brush on a pixel corrects; covering them again is worth nothing."""
    total = _gain(left, row, column, radius)
    for y in range(max(int(np.ceil(row - radius)), 0), min(int(np.floor(row + radius)), left.shape[0] - 1) + 1):
        half = int(np.sqrt(radius * radius - (y - row) ** 2))
        for x in range(max(column - half, 0), min(column + half, left.shape[1] - 1) + 1):
            left[y, x] = 0
    return total
