"""Simulated boxes are the tumour's extent and a margin, and are read back as the same pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from tests.training.support.synthetic import lps_grid
from training.prompts.picture_boxes import PictureBox, read_boxes
from training.prompts.prompt import Box, Prompts
from training.prompts.simulated_boxes import (
    TEST_SHIFT,
    TIGHT,
    TRAINING_JITTER,
    BoxMargin,
    box_with_depth,
    slice_boxes,
)

PICTURES = PicturePlane.along(lps_grid((256, 200, 6), (1.0, 1.0, 4.0)), 2)
RANDOM = np.random.default_rng


def oblique_grid() -> Grid:
    """A turned grid far from the scanner's centre, with slices first."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = turn * (4.4, 0.41, 0.73)
    affine[:3, 3] = (-812.3, 455.1, 1203.7)
    return Grid((7, 90, 70), affine)


def tumour(pictures: PicturePlane, *, seed: int = 0) -> Inside:
    """A block with ragged slices 1 to 4."""
    random = np.random.default_rng(seed)
    mask = np.zeros(pictures.grid.shape, bool)
    stack = pictures.stack(mask)
    for index in range(1, 5):
        top, left = random.integers(8, 30, 2)
        stack[index, top : top + 20 + index, left : left + 15 + index] = True
    return mask


def read(boxes: tuple[Box, ...], pictures: PicturePlane) -> dict[int, tuple[PictureBox, ...]]:
    return read_boxes(Prompts(boxes=boxes), pictures).boxes


def extents(mask: Inside, pictures: PicturePlane) -> dict[int, PictureBox]:
    found = {}
    for index in range(pictures.slice_count):
        rows, columns = np.nonzero(pictures.to_picture(mask, index))
        if len(rows):
            found[index] = PictureBox(*(int(at) for at in (rows.min(), columns.min(), rows.max(), columns.max())))
    return found


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
@pytest.mark.parametrize("turned", [False, True])
def test_tight_boxes_are_read_back_as_the_extents(slice_axis: int, turned: bool) -> None:
    grid = oblique_grid() if turned else lps_grid((70, 80, 90), (0.4, 0.9, 3.0))
    pictures = PicturePlane.along(grid, slice_axis)
    mask = np.zeros(grid.shape, bool)
    mask[2:5, 30:61, 0:50] = True
    mask[3, 70:75, 55:60] = True
    boxes = slice_boxes(mask, pictures, RANDOM(0), margin=TIGHT, least_pixels=1)
    assert read(boxes, pictures) == {index: (box,) for index, box in extents(mask, pictures).items()}
    whole = box_with_depth(mask, pictures, RANDOM(0), margin=TIGHT, least_voxels=1)
    slices = sorted(extents(mask, pictures))
    assert sorted(read((whole,), pictures)) == list(range(slices[0], slices[-1] + 1))


@settings(max_examples=60)
@given(
    corner=st.tuples(*[st.integers(0, 60)] * 2),
    size=st.tuples(*[st.integers(4, 30)] * 2),
    seed=st.integers(0, 999),
    margin=st.sampled_from([TIGHT, TRAINING_JITTER, TEST_SHIFT, BoxMargin(2, 9)]),
    turned=st.booleans(),
)
def test_boxes_hold_the_tumour_and_no_more_than_the_margin(
    corner: tuple[int, int], size: tuple[int, int], seed: int, margin: BoxMargin, turned: bool
) -> None:
    pictures = PicturePlane.along(oblique_grid(), 0) if turned else PICTURES
    mask = np.zeros(pictures.grid.shape, bool)
    pictures.stack(mask)[2, corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]] = True
    boxes = slice_boxes(mask, pictures, RANDOM(seed), margin=margin)
    assert boxes == slice_boxes(mask, pictures, RANDOM(seed), margin=margin)
    ((index, (box,)),) = read(boxes, pictures).items()
    tight = extents(mask, pictures)[2]
    scale = max(pictures.shape) / 256
    least, most = round(margin.least * scale), round(margin.most * scale)
    height, width = pictures.shape
    assert index == 2
    assert max(tight.top - most, 0) <= box.top <= max(tight.top - least, 0)
    assert max(tight.left - most, 0) <= box.left <= max(tight.left - least, 0)
    assert min(tight.bottom + least, height - 1) <= box.bottom <= min(tight.bottom + most, height - 1)
    assert min(tight.right + least, width - 1) <= box.right <= min(tight.right + most, width - 1)


@pytest.mark.slow
def test_training_jitter_takes_all_six_values_on_each_side_alike() -> None:
    mask = np.zeros(PICTURES.grid.shape, bool)
    PICTURES.stack(mask)[2, 50:90, 60:100] = True
    random = RANDOM(1)
    drawn = []
    for _ in range(1200):
        (box,) = read(slice_boxes(mask, PICTURES, random, margin=TRAINING_JITTER), PICTURES)[2]
        drawn.append((50 - box.top, 60 - box.left, box.bottom - 89, box.right - 99))
    for side in np.array(drawn).T:
        counts = np.bincount(side, minlength=6)
        assert len(counts) == 6
        assert np.square(counts - 200).sum() / 200 < 5 + 5 * np.sqrt(10)


def test_margins_scale_with_the_picture() -> None:
    for side, expected in [(128, 2), (256, 5), (512, 10)]:
        pictures = PicturePlane.along(lps_grid((side, side, 3), (1.0, 1.0, 4.0)), 2)
        mask = np.zeros(pictures.grid.shape, bool)
        pictures.stack(mask)[1, 40:60, 50:70] = True
        (box,) = read(slice_boxes(mask, pictures, RANDOM(2)), pictures)[1]
        assert box == PictureBox(40 - expected, 50 - expected, 59 + expected, 69 + expected)


def test_slices_with_specks_only_get_no_box() -> None:
    mask = np.zeros(PICTURES.grid.shape, bool)
    stack = PICTURES.stack(mask)
    stack[1, 10:13, 10:13] = True  # 9 pixels
    stack[2, 10:15, 10:12] = True  # 10 pixels, and a speck far away
    stack[2, 150:153, 150:153] = True
    stack[3, range(20, 30), range(20, 30)] = True  # 10 pixels that touch at corners
    boxes = read(slice_boxes(mask, PICTURES, RANDOM(3), margin=TIGHT), PICTURES)
    assert boxes == {2: (PictureBox(10, 10, 14, 11),), 3: (PictureBox(20, 20, 29, 29),)}
    assert sorted(read(slice_boxes(mask, PICTURES, RANDOM(3), least_pixels=1), PICTURES)) == [1, 2, 3]


def test_box_with_depth_spans_all_slices_with_one_extent() -> None:
    mask = tumour(PICTURES)
    boxes = read((box_with_depth(mask, PICTURES, RANDOM(4), margin=TIGHT),), PICTURES)
    tight = extents(mask, PICTURES)
    expected = PictureBox(
        min(box.top for box in tight.values()),
        min(box.left for box in tight.values()),
        max(box.bottom for box in tight.values()),
        max(box.right for box in tight.values()),
    )
    assert boxes == dict.fromkeys(range(1, 5), (expected,))


def test_box_with_depth_leaves_small_parts_out() -> None:
    mask = tumour(PICTURES)
    PICTURES.stack(mask)[5, 150:159, 150:160] = True  # 90 voxels elsewhere
    assert 5 not in read((box_with_depth(mask, PICTURES, RANDOM(5)),), PICTURES)
    assert 5 in read((box_with_depth(mask, PICTURES, RANDOM(5), least_voxels=90),), PICTURES)


def test_one_voxel_in_a_corner_gets_boxes_when_asked_for() -> None:
    mask = np.zeros(PICTURES.grid.shape, bool)
    PICTURES.stack(mask)[0, 0, 0] = True
    boxes = slice_boxes(mask, PICTURES, RANDOM(6), least_pixels=1)
    assert read(boxes, PICTURES) == {0: (PictureBox(0, 0, 5, 5),)}
    assert read((box_with_depth(mask, PICTURES, RANDOM(6), margin=TIGHT, least_voxels=1),), PICTURES) == {
        0: (PictureBox(0, 0, 0, 0),)
    }


def test_too_little_tumour_is_refused_by_name() -> None:
    mask = np.zeros(PICTURES.grid.shape, bool)
    for least in (0, 1, 10):
        with pytest.raises(RejectedInput) as caught:
            slice_boxes(mask, PICTURES, RANDOM(7), least_pixels=least)
        assert caught.value.code == "box-small-tumour"
        with pytest.raises(RejectedInput) as caught:
            box_with_depth(mask, PICTURES, RANDOM(7), least_voxels=least)
        assert caught.value.code == "box-small-tumour"
    with pytest.raises(RejectedInput) as caught:
        slice_boxes(np.ones((3, 3, 3), bool), PICTURES, RANDOM(7))
    assert caught.value.code == "plane-shape"


@pytest.mark.parametrize("ends", [(-1, 3), (4, 3)])
def test_margins_that_are_none_are_refused(ends: tuple[int, int]) -> None:
    with pytest.raises(RejectedInput) as caught:
        BoxMargin(*ends)
    assert caught.value.code == "box-margin"
