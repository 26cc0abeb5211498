"""Clicks and boxes become boxes on slices."""

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import PicturePlane
from tests.training.support.synthetic import lps_grid
from training.prompts.picture_boxes import POINT_BOX_MM, DeepBox, PictureBox, read_boxes
from training.prompts.prompt import Box, Click, Prompts

GRID = lps_grid((100, 120, 10), (1.0, 2.0, 5.0))
PICTURES = PicturePlane.along(GRID, 2)


def at(i: float, j: float, k: float) -> tuple[float, float, float]:
    x, y, z = GRID.to_world((i, j, k))
    return float(x), float(y), float(z)


def box(first: tuple[float, float, float], last: tuple[float, float, float]) -> Box:
    return Box(at(*first), at(*last))


def refusal(*clicks: Click, boxes: tuple[Box, ...] = ()) -> str:
    with pytest.raises(RejectedInput) as caught:
        read_boxes(Prompts(clicks, boxes), PICTURES)
    return caught.value.code


def test_flat_box_counts_on_its_slice_and_stands_in_elsewhere() -> None:
    read = read_boxes(Prompts(boxes=(box((9.5, 19.5, 4), (29.5, 49.5, 4)),)), PICTURES)
    assert read.boxes == {4: (PictureBox(top=20, left=10, bottom=49, right=29),)}
    assert read.nearest(0) == read.nearest(9) == 4
    assert not read.from_points


def test_corners_may_come_in_any_order() -> None:
    one = read_boxes(Prompts(boxes=(box((10, 20, 4), (29, 49, 4)),)), PICTURES)
    assert one == read_boxes(Prompts(boxes=(box((29, 20, 4), (10, 49, 4)),)), PICTURES)


def test_box_with_depth_leaves_the_other_slices_empty() -> None:
    read = read_boxes(Prompts(boxes=(box((10, 20, 3), (29, 49, 6)),)), PICTURES)
    assert sorted(read.boxes) == [3, 4, 5, 6]
    assert read.nearest(2) is None


def test_the_only_box_with_depth_says_where_to_start() -> None:
    read = read_boxes(Prompts(boxes=(box((10, 20, 3), (29, 49, 6)),)), PICTURES)
    assert read.deep == DeepBox(3, 6, PictureBox(top=20, left=10, bottom=49, right=29))
    assert read.deep.middle == 4
    assert DeepBox(3, 7, read.deep.box).middle == 5


@pytest.mark.parametrize(
    "boxes",
    [
        (box((10, 20, 3), (29, 49, 3)),),
        (box((10, 20, 3), (29, 49, 6)), box((10, 20, 3), (29, 49, 3))),
        (box((10, 20, 3), (29, 49, 6)), box((50, 60, 3), (60, 70, 6))),
    ],
)
def test_no_start_where_the_box_is_flat_or_not_alone(boxes: tuple[Box, ...]) -> None:
    assert read_boxes(Prompts(boxes=boxes), PICTURES).deep is None


def test_clicks_correct_the_boxes_of_their_slice_only() -> None:
    clicks = (Click(at(35, 35, 4)), Click(at(12, 35, 4), positive=False))
    read = read_boxes(Prompts(clicks, (box((10, 20, 3), (29, 49, 6)),)), PICTURES)
    other = PictureBox(top=20.5, left=10.5, bottom=48.5, right=30.5)
    assert read.corrected([other], 4) == (PictureBox(top=20.5, left=13, bottom=48.5, right=35),)
    assert read.corrected([other], 5) == (other,)


def test_extreme_points_alone_are_refused() -> None:
    with pytest.raises(RejectedInput) as caught:
        read_boxes(Prompts(extreme_points=(at(10, 20, 3),)), PICTURES)
    assert caught.value.code == "prompt-kind"


def test_two_flat_boxes_share_the_slices_between_them() -> None:
    read = read_boxes(Prompts(boxes=(box((10, 20, 2), (29, 49, 2)), box((12, 22, 7), (31, 51, 7)))), PICTURES)
    assert [read.nearest(index) for index in range(10)] == [2, 2, 2, 2, 2, 7, 7, 7, 7, 7]


def test_box_is_cut_at_the_border_and_never_empty() -> None:
    read = read_boxes(Prompts(boxes=(box((-30, -30, 4), (5, 5, 4)), box((40.2, 40.3, 4), (40.4, 40.4, 4)))), PICTURES)
    assert read.boxes[4] == (PictureBox(0, 0, 5, 5), PictureBox(40, 40, 40, 40))


def test_click_gets_a_box_of_the_stated_size() -> None:
    read = read_boxes(Prompts(clicks=(Click(at(50, 60, 4)),)), PICTURES)
    (found,) = read.boxes[4]
    assert found == PictureBox(top=40, left=10, bottom=80, right=90)
    assert ((found.bottom - found.top) * 2.0, (found.right - found.left) * 1.0) == (POINT_BOX_MM, POINT_BOX_MM)
    assert read.from_points == {4}


def test_distant_clicks_share_a_box_that_holds_them_all() -> None:
    read = read_boxes(Prompts(clicks=(Click(at(2, 10, 4)), Click(at(97, 110, 4)))), PICTURES)
    assert read.boxes[4] == (PictureBox(10, 2, 110, 97),)


def test_positive_click_beside_a_box_grows_the_nearest() -> None:
    boxes = (box((10, 20, 4), (29, 49, 4)), box((60, 20, 4), (80, 49, 4)))
    read = read_boxes(Prompts((Click(at(35, 30, 4)),), boxes), PICTURES)
    assert read.boxes[4] == (PictureBox(20, 10, 49, 35), PictureBox(20, 60, 49, 80))
    assert not read.from_points


def test_negative_click_moves_the_edge_that_costs_least_but_keeps_positive_clicks() -> None:
    drawn = (box((10, 20, 4), (29, 49, 4)),)
    alone = read_boxes(Prompts((Click(at(26, 35, 4), positive=False),), drawn), PICTURES)
    assert alone.boxes[4] == (PictureBox(20, 10, 49, 25),)
    kept = Click(at(28, 48, 4))
    read = read_boxes(Prompts((Click(at(26, 35, 4), positive=False), kept), drawn), PICTURES)
    assert read.boxes[4] == (PictureBox(36, 10, 49, 29),)


def test_negative_click_elsewhere_changes_nothing() -> None:
    drawn = (box((10, 20, 4), (29, 49, 4)),)
    clicks = (Click(at(90, 35, 4), positive=False), Click(at(15, 35, 2), positive=False))
    assert read_boxes(Prompts(clicks, drawn), PICTURES).boxes == read_boxes(Prompts(boxes=drawn), PICTURES).boxes


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite(bad: float) -> None:
    assert refusal(Click((bad, 0.0, 0.0))) == "prompt-not-finite"
    assert refusal(boxes=(Box(at(1, 1, 1), (0.0, bad, 0.0)),)) == "prompt-not-finite"


@pytest.mark.parametrize("place", [(-1, 5, 5), (100, 5, 5), (5, 120, 5), (5, 5, 10), (5, 5, -0.6)])
def test_outside(place: tuple[float, float, float]) -> None:
    assert refusal(Click(at(*place))) == "prompt-outside"
    assert refusal(Click(at(5, 5, 5)), Click(at(*place), positive=False)) == "prompt-outside"
    assert refusal(boxes=(box(place, place),)) == "prompt-outside"


def test_negative_clicks_only() -> None:
    assert refusal(Click(at(5, 5, 5), positive=False)) == "prompt-negative-only"


def test_edges_of_the_image_belong_to_it() -> None:
    read = read_boxes(Prompts(boxes=(box((-0.5, -0.5, 4), (99.5, 119.5, 4)),)), PICTURES)
    assert read.boxes[4] == (PictureBox(0, 0, 119, 99),)
    read_boxes(Prompts(clicks=(Click(at(-0.5, 119.5, 9.4)),)), PICTURES)


def test_huge_finite_numbers_do_not_hang() -> None:
    whole = np.array(GRID.shape) - 1
    read = read_boxes(Prompts(boxes=(Box((-1e300, -1e300, -1e300), (1e300, 1e300, 1e300)),)), PICTURES)
    assert len(read.boxes) == GRID.shape[2]
    assert read.boxes[0] == (PictureBox(0, 0, int(whole[1]), int(whole[0])),)
