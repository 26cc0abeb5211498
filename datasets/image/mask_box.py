"""The smallest box that holds a mask."""

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside


def mask_box(inside: Inside) -> tuple[slice, ...] | None:
    """The smallest box of an array that holds all of a mask, cut axis by axis so that later axes look at less.

    Args:
        inside: bool of any number of axes.

    Returns:
        A slice for each axis; None where the mask is empty.
    """
    box: list[slice] = []
    rest = inside
    for axis in range(inside.ndim):
        along = np.flatnonzero(rest.any(axis=tuple(other for other in range(inside.ndim) if other != axis)))
        if not along.size:
            return None
        box.append(slice(int(along[0]), int(along[-1]) + 1))
        rest = rest[(slice(None),) * axis + (box[-1],)]
    return tuple(box)


def mask_bounds(inside: Inside) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """First and last voxel of a mask along each axis, both inside; None where it is empty."""
    box = mask_box(inside)
    if box is None:
        return None
    return np.array([along.start for along in box]), np.array([along.stop - 1 for along in box])
