"""What looks odd in a mask: holes in its slices, and slices whose area jumps."""

from collections.abc import Sequence

import numpy as np

from datasets.image.mask import Inside

MOST_HOLES = 50
"""Holes that are listed, the largest first."""

JUMP = 0.5
"""Share of the larger of two neighbouring areas by which they differ, from which on it is a jump."""

_SMALL = 0.1
"""Share of the largest area below which two slices are too small to compare: a tumour's ends."""


def holes(inside: Inside, slice_axis: int) -> list[tuple[int, int, int]]:
    """A voxel of each hole: voxels outside that lie inside in their slice, where it is one piece; the largest first.

    Args:
        inside: Boolean, 3D.
        slice_axis: The axis that runs through the slices.
    """
    from scipy import ndimage

    found = []
    slices = np.moveaxis(inside, slice_axis, 0)
    for index in np.flatnonzero(slices.any(axis=(1, 2))):
        missing = ndimage.binary_fill_holes(slices[index]) & ~slices[index]
        pieces, count = ndimage.label(missing)
        for piece in range(1, count + 1):
            pixels = np.argwhere(pieces == piece)
            i, j, k = np.insert(pixels[len(pixels) // 2], slice_axis, index)
            found.append((len(pixels), (int(i), int(j), int(k))))
    return [voxel for _, voxel in sorted(found, key=lambda one: -one[0])[:MOST_HOLES]]


def jumps(areas: Sequence[float]) -> list[int]:
    """Slices after which the area jumps, or that stand empty between others.

    Args:
        areas: Of every slice, in one unit.
    """
    if not areas or max(areas) == 0:
        return []
    small = _SMALL * max(areas)
    drawn = [index for index, area in enumerate(areas) if area > 0]
    between = range(drawn[0], drawn[-1])
    return [
        index
        for index in between
        if max(areas[index], areas[index + 1]) > small
        and abs(areas[index + 1] - areas[index]) > JUMP * max(areas[index], areas[index + 1])
    ]
