"""Which ends of a tumour nobody pointed at yet."""

import numpy as np
import pytest

from annotation_backend.inference.sessions.extreme_points import End, missing_ends
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import PointMm

PLANE = PicturePlane.of(Grid((60, 50, 20), np.diag([-1.0, -1.0, 4.0, 1.0])))

ENDS: dict[End, tuple[float, float, int]] = {
    End.LEFT: (20.0, 52.0, 10),
    End.RIGHT: (80.0, 49.0, 10),
    End.TOP: (48.0, 20.0, 11),
    End.BOTTOM: (51.0, 80.0, 10),
    End.FIRST_SLICE: (50.0, 50.0, 4),
    End.LAST_SLICE: (47.0, 52.0, 16),
}
"""Percent (x, y) and slice of six points around a tumour."""


def _point(end: End) -> PointMm:
    x, y, index = ENDS[end]
    first, second, third = PLANE.percent_to_world((x, y), index=index).tolist()
    return first, second, third


@pytest.mark.parametrize("missing", list(End))
def test_the_one_end_that_is_missing_is_named(missing: End) -> None:
    assert missing_ends([_point(end) for end in End if end is not missing], PLANE) == [missing]


def test_after_the_four_ends_of_a_slice_the_first_and_the_last_slice_are_missing() -> None:
    points = [_point(end) for end in (End.LEFT, End.RIGHT, End.TOP, End.BOTTOM)]
    assert missing_ends(points, PLANE) == [End.FIRST_SLICE, End.LAST_SLICE]


def test_a_first_slice_far_away_and_to_the_side_leaves_the_last_slice_missing() -> None:
    points = [_point(end) for end in (End.LEFT, End.RIGHT, End.TOP, End.BOTTOM)]
    x, y, z = PLANE.percent_to_world((30.0, 15.0), index=0).tolist()
    assert missing_ends([*points, (x, y, z)], PLANE) == [End.LAST_SLICE]


def test_the_order_of_the_points_does_not_matter() -> None:
    points = [_point(end) for end in (End.LAST_SLICE, End.TOP, End.LEFT)]
    assert missing_ends(points, PLANE) == missing_ends(points[::-1], PLANE)


def test_one_point_says_nothing_and_six_are_enough() -> None:
    assert len(missing_ends([_point(End.TOP)], PLANE)) == 6
    assert missing_ends([_point(end) for end in End], PLANE) == []


def test_the_same_point_again_and_again_is_counted_and_breaks_nothing() -> None:
    assert len(missing_ends([_point(End.TOP)] * 5, PLANE)) == 1
