"""Local edit: a click on a slice that already has a mask changes that mask near the click, and nowhere else.

A click model draws the whole slice anew from all clicks, and may worsen what was right. So if the slice already had a
mask, only those changes are kept that touch a click: additions at positive clicks, removals at negative ones.
"""

from collections.abc import Sequence

import numpy as np

from datasets.image.mask import Inside
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Click

_RIM = 2
"""Pixels: a change thinner than twice this along the edge does not connect two changed parts."""

_NEAR = 5
"""Most pixels between a click and the changed part that it selects."""


def edited(start: Inside, answer: Inside, clicks: Sequence[Click], plane: PicturePlane) -> Inside:
    """The mask of a slice after clicks.

    Args:
        start: Boolean (height, width): the mask before the first of the clicks; not empty.
        answer: The mask that the model draws from all of them.
        clicks: The clicks of this suggestion, all on the slice.
        plane: The plane of the slice's picture.
    """
    mask = start.copy()
    for positive, change in ((True, answer & ~start), (False, start & ~answer)):
        places = [_pixel(click, plane) for click in clicks if click.positive is positive]
        part = _parts_at(change, places)
        mask = mask | part if positive else mask & ~part
    return mask


def _parts_at(change: Inside, places: Sequence[tuple[int, int]]) -> Inside:
    """The parts of a change near some pixels (row, column), even if a thin rim connects them with others."""
    from scipy import ndimage

    ball = np.hypot(*np.mgrid[-_RIM : _RIM + 1, -_RIM : _RIM + 1]) <= _RIM
    cores = ndimage.binary_opening(change, ball)
    labels, _ = ndimage.label(cores)
    wanted: set[int] = set()
    for row, column in places:
        near = labels[max(row - _NEAR, 0) : row + _NEAR + 1, max(column - _NEAR, 0) : column + _NEAR + 1]
        wanted |= set(np.unique(near)) - {0}
    chosen = np.isin(labels, list(wanted))
    return np.asarray(ndimage.binary_dilation(chosen, ball) & change)


def _pixel(click: Click, plane: PicturePlane) -> tuple[int, int]:
    _, row, column = np.rint(plane.world_to_index(click.point_mm)).astype(int)
    return int(row), int(column)
