"""A click on a slice that has a mask changes that mask where it was clicked, and nowhere else.

A click model draws the whole slice anew from all clicks, and may spoil what was right. So where a suggestion began with
a mask, of what the model would add only the parts at a click in the tumour are added, and of what it would take away
only those at a click beside it are taken away.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Click

Inside = NDArray[np.bool_]

_RIM = 2
"""Pixels: parts thinner than twice this are a rim along the whole edge and do not join what lies apart."""

_NEAR = 5
"""Pixels between a click and the part that it means, at most."""


def edited(start: Inside, answer: Inside, clicks: Sequence[Click], plane: PicturePlane) -> Inside:
    """The mask of a slice after clicks.

    Args:
        start: Boolean (height, width): the mask before the first of the clicks; not empty.
        answer: What the model draws from all of them.
        clicks: Those of this suggestion, all on the slice.
        plane: How its picture lies.
    """
    mask = start.copy()
    for positive, change in ((True, answer & ~start), (False, start & ~answer)):
        places = [_pixel(click, plane) for click in clicks if click.positive is positive]
        part = _parts_at(change, places)
        mask = mask | part if positive else mask & ~part
    return mask


def _parts_at(change: Inside, places: Sequence[tuple[int, int]]) -> Inside:
    """The parts of a change at some pixels (row, column): the rim that joins them all is cut first, and given back."""
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
