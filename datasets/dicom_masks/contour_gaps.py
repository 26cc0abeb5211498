"""Gaps between contours: a region drawn on every n-th slice is interpolated, any other gap is a finding.

Planning systems draw every second to fifth slice and interpolate when they show the region; the export has only the
drawn contours. Such a region is filled by shape-based interpolation: between two planes the signed distance to the
outline is interpolated, for parts that lie above one another. A gap that is no such pattern may be a real one between
two parts, and is left empty.

Source: Raya & Udupa, Shape-based interpolation of multidimensional objects, IEEE Trans. Med. Imaging 9 (1990) 32-42.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside

REGULAR_WITHIN = 0.15
"""How far the distances between contours may differ and still count as regular, in slice steps."""

MOST_STEPS = 5.5
"""Distance, in slice steps, up to which people draw every n-th slice; contours further apart are two parts."""

LEAST_GAPS = 2
"""Fewer gaps than this are no pattern."""


@dataclass(frozen=True)
class Gaps:
    """Which slices between contours were filled or left empty.

    Args:
        filled: Slices that were filled between contours at regular distances.
        step: That distance in slice steps.
        empty: Slices between contours that were left empty.
        parts: Parts that end on a slice and go on beyond an empty one, while another part has contours there.
    """

    filled: int = 0
    step: float = 0.0
    empty: int = 0
    parts: int = 0


def fill_gaps(data: NDArray[np.uint8], heights: Mapping[int, float], spacing: tuple[float, float]) -> Gaps:
    """Interpolates between contours drawn on every n-th slice, in place.

    Args:
        data: (i, j, k), 1 inside the contours.
        heights: Slice coordinate of the plane that each slice with contours was filled from.
        spacing: Millimetres between pixels along i and j.
    """
    parts = sum(_interrupted(data))
    slices = sorted(heights)
    pairs = [(low, high) for low, high in pairwise(slices) if high - low > 1]
    step, regular = _pattern([heights[k] for k in slices])
    filled = empty = 0
    for low, high in pairs:
        is_regular = regular and abs(heights[high] - heights[low] - step) <= REGULAR_WITHIN
        made = _fill(data, low, high, heights=heights, spacing=spacing) if is_regular else 0
        filled, empty = filled + made, empty + high - low - 1 - made
    return Gaps(filled, step if filled else 0.0, empty, parts)


def _pattern(heights: list[float]) -> tuple[float, bool]:
    """The smallest distance between neighbouring contours, and whether the region was drawn at that distance."""
    steps = np.diff(np.sort(np.array(heights)))
    if len(steps) < LEAST_GAPS:
        return 0.0, False
    step = float(steps.min())
    alike = steps[np.abs(steps - step) <= REGULAR_WITHIN]
    return float(alike.mean()), len(alike) >= LEAST_GAPS and step <= MOST_STEPS


def _fill(
    data: NDArray[np.uint8], low: int, high: int, *, heights: Mapping[int, float], spacing: tuple[float, float]
) -> int:
    """Fills the slices between two; how many of them got voxels."""
    below, above = _above_one_another(data[:, :, low] > 0, data[:, :, high] > 0)
    if not below.any():
        return 0
    box = _box(below | above)
    distances = [_signed_distance(plane[box], spacing) for plane in (below, above)]
    made = 0
    for k in range(low + 1, high):
        share = np.clip((k - heights[low]) / (heights[high] - heights[low]), 0.0, 1.0)
        inside = (1.0 - share) * distances[0] + share * distances[1] > 0
        data[:, :, k][box] |= inside
        made += bool(inside.any())
    return made


def _above_one_another(below: Inside, above: Inside) -> tuple[Inside, Inside]:
    """The parts of two planes that share pixels with a part of the other."""
    shared = below & above
    return _touched(below, shared), _touched(above, shared)


def _touched(plane: Inside, by: Inside) -> Inside:
    """The connected parts of a plane that hold one of the pixels."""
    labels, _ = _parts(plane)
    touched: Inside = np.isin(labels, np.unique(labels[by])) & plane
    return touched


def _parts(plane: Inside) -> tuple[NDArray[np.int32], int]:
    """Number of the connected part of each pixel, from 1, over corners as well; and how many parts there are."""
    from scipy.ndimage import label

    labels, count = label(plane, structure=np.ones((3, 3)))
    return labels, int(count)


def _box(plane: Inside) -> tuple[slice, slice]:
    """The bounding box of the inside, with a margin of one pixel within the picture."""
    rows, columns = (np.flatnonzero(plane.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2),
        slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2),
    )


def _signed_distance(inside: Inside, spacing: tuple[float, float]) -> NDArray[np.float64]:
    """Millimetres to the nearest pixel on the other side of the outline, negative outside."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(inside, 1)
    within, beyond = (distance_transform_edt(side, sampling=spacing) for side in (padded, ~padded))
    distance: NDArray[np.float64] = (within - beyond)[1:-1, 1:-1]
    return distance


def _interrupted(data: NDArray[np.uint8]) -> Iterator[bool]:
    """For each part that ends on a slice, whether it goes on a few slices further, beyond slices that others fill."""
    drawn = data > 0
    reach = int(MOST_STEPS)
    for k in range(drawn.shape[2] - 2):
        if not drawn[:, :, k].any() or not drawn[:, :, k + 1].any():
            continue
        ending = drawn[:, :, k] & ~_touched(drawn[:, :, k], drawn[:, :, k] & drawn[:, :, k + 1])
        labels, count = _parts(ending)
        yield from (_goes_on(labels == part, drawn[:, :, k + 1 : k + 1 + reach]) for part in range(1, count + 1))


def _goes_on(part: Inside, above: Inside) -> bool:
    """Whether the first slices above that share pixels with the part have a part there which begins anew."""
    shares = (part[:, :, None] & above).any(axis=(0, 1))
    if not shares.any():
        return False
    first = int(np.argmax(shares))
    begun = _touched(above[:, :, first], part & above[:, :, first])
    return not (begun & above[:, :, first - 1]).any()
