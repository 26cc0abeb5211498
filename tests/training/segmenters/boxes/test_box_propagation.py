"""From the middle slice outwards: order, boxes, and what happens where nothing is found."""

import numpy as np
import pytest

from training.prompts.picture_boxes import DeepBox, PictureBox
from training.segmenters.boxes.box_propagation import BoxPrediction, box_around_mask, propagate_from_middle

DRAWN = PictureBox(top=40, left=50, bottom=90, right=110)


class Predictor:
    """Draws, on slice k, a rectangle that is known; remembers what it was asked."""

    def __init__(self, masks: dict[int, tuple[slice, slice]], shape: tuple[int, int] = (256, 256)) -> None:
        self.masks = masks
        self.shape = shape
        self.asked: list[tuple[int, PictureBox]] = []

    def __call__(self, index: int, box: PictureBox) -> BoxPrediction:
        self.asked.append((index, box))
        probability = np.zeros(self.shape, dtype=np.float32)
        if index in self.masks:
            probability[self.masks[index]] = 1.0
        return BoxPrediction(probability, 0.9)

    @property
    def order(self) -> list[int]:
        """The slices in the order in which they were drawn."""
        return [index for index, _ in self.asked]


def rectangle(index: int) -> tuple[slice, slice]:
    return slice(40 + index, 60 + index), slice(100, 120 + index)


def test_up_to_the_last_slice_then_down_to_the_first() -> None:
    draw = Predictor({index: rectangle(index) for index in range(20)})
    drawn = propagate_from_middle(DeepBox(3, 8, DRAWN), range(20), draw)
    assert draw.order == [5, 6, 7, 8, 4, 3]
    assert sorted(drawn) == [3, 4, 5, 6, 7, 8]


def test_each_box_is_that_of_the_slice_before_plus_three_pixels() -> None:
    draw = Predictor({index: rectangle(index) for index in range(20)})
    propagate_from_middle(DeepBox(3, 7, DRAWN), range(20), draw)
    boxes = dict(draw.asked)
    assert boxes[5] == DRAWN
    # Both neighbours of the middle are given the middle's box; then each its own neighbour's.
    assert boxes[6] == boxes[4] == PictureBox(top=45 - 3, left=100 - 3, bottom=64 + 3, right=124 + 3)
    assert boxes[7] == PictureBox(top=46 - 3, left=100 - 3, bottom=65 + 3, right=125 + 3)
    assert boxes[3] == PictureBox(top=44 - 3, left=100 - 3, bottom=63 + 3, right=123 + 3)


def test_the_drawn_box_comes_back_after_an_empty_slice() -> None:
    draw = Predictor({index: rectangle(index) for index in range(20) if index != 6})
    propagate_from_middle(DeepBox(3, 9, DRAWN), range(20), draw)
    boxes = dict(draw.asked)
    assert boxes[7] == DRAWN
    assert boxes[8] != DRAWN


@pytest.mark.parametrize(
    ("wanted", "order"),
    [((5,), [5]), ((7,), [5, 6, 7]), ((4,), [5, 4]), ((3, 6), [5, 6, 4, 3]), ((0, 15), []), ((), [])],
)
def test_no_slice_is_drawn_that_no_wanted_one_needs(wanted: tuple[int, ...], order: list[int]) -> None:
    draw = Predictor({index: rectangle(index) for index in range(20)})
    propagate_from_middle(DeepBox(3, 8, DRAWN), wanted, draw)
    assert draw.order == order


def test_a_wanted_slice_does_not_depend_on_what_else_is_wanted() -> None:
    one, all_of_them = (Predictor({index: rectangle(index) for index in range(20)}) for _ in range(2))
    propagate_from_middle(DeepBox(3, 8, DRAWN), (7,), one)
    propagate_from_middle(DeepBox(3, 8, DRAWN), range(20), all_of_them)
    assert dict(one.asked)[7] == dict(all_of_them.asked)[7]


def test_the_margin_is_three_pixels_of_the_picture_of_256() -> None:
    mask = np.zeros((512, 400), dtype=bool)
    mask[100:201, 60:161] = True
    found = box_around_mask(mask)
    # Halved: rows 50 to 100 and columns 30 to 80, in which a half-filled last row and column still count.
    assert found == PictureBox(top=(50 - 3) * 2, left=(30 - 3) * 2, bottom=(100 + 3) * 2, right=(80 + 3) * 2)


def test_the_box_ends_at_the_picture() -> None:
    assert box_around_mask(np.ones((256, 256), dtype=bool)) == PictureBox(0, 0, 256, 256)


def test_no_mask_no_box_and_less_than_half_a_pixel_is_none() -> None:
    assert box_around_mask(np.zeros((300, 200), dtype=bool)) is None
    speck = np.zeros((1024, 1024), dtype=bool)
    speck[500, 500] = True
    assert box_around_mask(speck) is None


@pytest.mark.parametrize(
    ("shape", "end"), [((1, 1), (1, 1)), ((1, 700), (3 * 700 / 256, 700)), ((700, 1), (700, 3 * 700 / 256))]
)
def test_a_box_in_a_thin_picture_is_a_margin_wide(shape: tuple[int, int], end: tuple[float, float]) -> None:
    """Such a picture is one pixel wide however small it is scaled, and the margin is three of those."""
    assert box_around_mask(np.ones(shape, dtype=bool)) == PictureBox(0, 0, *end)
