"""Which boxes count, and what of the earlier mask a box leaves alone."""

import numpy as np

from annotation_backend.inference.sessions.answering import _away_from, _last_of_each
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Box, PointMm, Prompts

PLANE = PicturePlane.of(Grid((60, 50, 5), np.diag([-1.0, -1.0, 4.0, 1.0])))


def _box(left: float, top: float, right: float, bottom: float) -> Box:
    """A box on slice 2, in pixels."""

    def point(x: float, y: float) -> PointMm:
        first, second, third = PLANE.grid.to_world(PLANE.pixel_to_voxel((x, y), index=2)).tolist()
        return first, second, third

    return Box(point(left, top), point(right, bottom))


def test_a_box_that_is_drawn_again_replaces_the_earlier_one_and_another_tumour_keeps_its_own() -> None:
    first, other, again = _box(10, 10, 30, 30), _box(40, 35, 55, 45), _box(11, 9, 31, 31)
    assert _last_of_each([first, other, again], PLANE) == (other, again)
    assert _last_of_each([first, other], PLANE) == (first, other)
    assert _last_of_each([], PLANE) == ()


def test_a_box_redraws_what_it_holds_and_leaves_another_tumour_alone() -> None:
    base = np.zeros(PLANE.shape, dtype=bool)
    base[12:20, 12:34] = True
    base[38:42, 45:50] = True
    mask = np.zeros(PLANE.shape, dtype=bool)
    mask[14:18, 14:20] = True
    kept = _away_from(mask, base, PLANE, Prompts(boxes=(_box(10, 10, 25, 25),)))
    assert kept[38:42, 45:50].all()
    assert not kept[:30].any()
