"""LiteMedSAM with its real weights: on sarcomas, and on what a caller can get wrong."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.volume import Volume
from tests.data import STS_NIFTI, require
from tests.training.support.synthetic import lps_grid, reordered
from training.measures.metrics import dice
from training.prompts.prompt import Box, Click, Prompts
from training.segmenters.boxes.lite_medsam import prepared, scaled_box, scaled_shape
from training.segmenters.segmenter import SegmentationRequest

pytestmark = pytest.mark.slow

SHAPE = (60, 80, 5)
INSIDE = (30.0, 40.0, 2.0)


@pytest.fixture(scope="module")
def disc() -> Volume:
    """A bright ellipse (semi-axes 14 and 18 mm) on a darker, mottled ground, on every slice."""
    i, j, _ = np.indices(SHAPE)
    inside = ((i - 30) / 14) ** 2 + ((j - 40) / 18) ** 2 < 1
    ground = 60 + 15 * np.sin(i / 5) * np.cos(j / 7)
    return Volume((ground + 90 * inside).astype(np.float32), lps_grid(SHAPE, (1.0, 1.0, 5.0)))


@pytest.fixture(scope="module")
def truth(disc: Volume) -> np.ndarray:
    i, j, k = np.indices(SHAPE)
    return (((i - 30) / 14) ** 2 + ((j - 40) / 18) ** 2 < 1) & (k == 2)


def world(volume: Volume, *voxel: float) -> tuple[float, float, float]:
    x, y, z = volume.grid.to_world(voxel)
    return float(x), float(y), float(z)


def box_around(volume: Volume) -> Box:
    return Box(world(volume, 14, 20, 2), world(volume, 46, 60, 2))


def request(volume: Volume, prompts: Prompts, **rest: object) -> SegmentationRequest:
    return SegmentationRequest(volumes={"t2": volume}, target="t2", prompts=prompts, **{"slices": (2,)} | rest)


@pytest.mark.slow
def test_boxes_on_real_sarcomas(lite_medsam, tell_figure: Callable[[str], None]) -> None:
    case = require(STS_NIFTI / "STS_014")
    volume, mask = read_volume(case / "MR_T1_image.nii.gz"), read_mask(case / "MR_T1_mask.nii.gz")
    filled = np.flatnonzero(mask.foreground.any(axis=(0, 1)))
    scores = []
    for index in (int(np.quantile(filled, share, method="nearest")) for share in (0.35, 0.5, 0.65)):
        truth = mask.foreground[:, :, index]
        ends = np.argwhere(truth)
        first, last = ends.min(axis=0) - 3, ends.max(axis=0) + 3
        box = Box(world(volume, *first, index), world(volume, *last, index))
        asked = SegmentationRequest({"t1": volume}, "t1", Prompts(boxes=(box,)), slices=(index,))
        answer = lite_medsam.segment(asked)
        inside = np.asarray(answer.probability.data) > 0.5
        assert not inside[:, :, [other for other in range(volume.grid.shape[2]) if other != index]].any()
        assert answer.model_version == "lite-medsam-1"
        scores.append(dice(inside[:, :, index], truth))
    tell_figure(f"LiteMedSAM, box from the mask +-3 pixels, STS_014 T1: Dice {np.round(scores, 3).tolist()}")
    assert min(scores) >= 0.8


@pytest.mark.slow
def test_box_draws_the_ellipse(lite_medsam, disc: Volume, truth: np.ndarray) -> None:
    answer = lite_medsam.segment(request(disc, Prompts(boxes=(box_around(disc),)), cache_key="disc"))
    probability = np.asarray(answer.probability.data)
    assert probability.dtype == np.float32
    assert 0.0 <= probability.min() <= probability.max() <= 1.0
    assert dice(probability > 0.5, truth) > 0.93
    assert answer.score is not None
    assert 0.5 < answer.score <= 1.0
    assert answer.probability.grid.matches(disc.grid)


@pytest.mark.slow
@pytest.mark.parametrize(("order", "flips"), [((2, 0, 1), (True, False, True)), ((1, 0, 2), (False, True, False))])
def test_the_answer_does_not_depend_on_the_axis_order(lite_medsam, disc: Volume, order, flips) -> None:
    prompts = Prompts(boxes=(box_around(disc),))
    expected = lite_medsam.segment(request(disc, prompts, cache_key="disc")).probability
    other = reordered(disc, order=order, flips=flips)
    axis = order.index(2)
    index = SHAPE[2] - 1 - 2 if flips[axis] else 2
    found = lite_medsam.segment(request(other, prompts, slice_axis=axis, slices=(index,))).probability
    assert np.allclose(found.data, reordered(expected, order=order, flips=flips).data, atol=1e-4)


@pytest.mark.slow
def test_a_click_is_read_as_a_box_and_says_so(lite_medsam, disc: Volume, truth: np.ndarray) -> None:
    asked = request(disc, Prompts(clicks=(Click(world(disc, *INSIDE)),)), cache_key="disc")
    answer = lite_medsam.segment(asked)
    assert answer.model_version == "lite-medsam-1+box-around-point"
    drawn = np.asarray(answer.probability.data) > 0.5
    assert drawn[30, 40, 2]
    assert not drawn[:, :, [0, 1, 3, 4]].any()


def test_no_prompt_is_the_full_picture_and_says_so(lite_medsam, disc: Volume) -> None:
    answer = lite_medsam.segment(request(disc, Prompts(), cache_key="disc"))
    assert answer.model_version == "lite-medsam-1+full-picture-box"
    assert answer.probability.data.shape == SHAPE


def test_two_boxes_are_joined(lite_medsam, disc: Volume) -> None:
    corner = Box(world(disc, 2, 2, 2), world(disc, 12, 14, 2))
    one, other, both = (
        np.asarray(lite_medsam.segment(request(disc, Prompts(boxes=boxes), cache_key="disc")).probability.data)
        for boxes in ((box_around(disc),), (corner,), (box_around(disc), corner))
    )
    assert np.allclose(both, np.maximum(one, other), atol=1e-4)


@pytest.mark.slow
def test_a_box_with_depth_follows_a_tumour_from_its_middle(lite_medsam) -> None:
    """A leaning cone: the box around all of it fits its upper end badly."""
    i, j, k = np.indices(SHAPE)
    truth = ((i - 24 - 3 * k) / (14 - k)) ** 2 + ((j - 40) / (18 - k)) ** 2 < 1
    ground = 60 + 15 * np.sin(i / 5) * np.cos(j / 7)
    cone = Volume((ground + 90 * truth).astype(np.float32), lps_grid(SHAPE, (1.0, 1.0, 5.0)))
    deep = Prompts(boxes=(Box(world(cone, 11, 23, 0), world(cone, 43, 57, 3)),))
    answer = lite_medsam.segment(request(cone, deep, slices=None, cache_key="cone"))
    inside = np.asarray(answer.probability.data) > 0.5
    assert answer.model_version == "lite-medsam-1+from-middle-slice"
    assert answer.used["boxes"] == "from-middle-slice"
    assert (answer.used["slices_drawn"], answer.used["slices_encoded"]) == (4, 4)
    assert not inside[:, :, 4].any()
    assert min(dice(inside[:, :, at], truth[:, :, at]) for at in range(4)) > 0.9
    flat = Prompts(boxes=(Box(world(cone, 11, 23, 3), world(cone, 43, 57, 3)),))
    same = lite_medsam.segment(request(cone, flat, slices=(3,), cache_key="cone")).probability.data[:, :, 3] > 0.5
    assert dice(inside[:, :, 3], truth[:, :, 3]) > dice(same, truth[:, :, 3]) + 0.02
    # One slice asked for alone is drawn the same way, through those between it and the middle.
    alone = lite_medsam.segment(request(cone, deep, slices=(3,), cache_key="cone"))
    assert alone.used["slices_drawn"] == 3
    assert np.array_equal(np.asarray(alone.probability.data)[:, :, 3], np.asarray(answer.probability.data)[:, :, 3])
    assert not np.asarray(alone.probability.data)[:, :, [0, 1, 2, 4]].any()


@pytest.mark.slow
def test_a_click_corrects_its_slice_of_a_box_with_depth(lite_medsam, disc: Volume) -> None:
    deep = Box(world(disc, 14, 20, 1), world(disc, 46, 60, 3))
    wrong = Click(world(disc, 18, 40, 3), positive=False)
    drawn, cut = (
        np.asarray(lite_medsam.segment(request(disc, prompts, slices=None, cache_key="disc")).probability.data) > 0.5
        for prompts in (Prompts(boxes=(deep,)), Prompts((wrong,), (deep,)))
    )
    assert np.array_equal(drawn[:, :, :3], cut[:, :, :3])
    assert cut[:, :, 3].sum() < drawn[:, :, 3].sum()


def test_a_box_with_depth_leaves_other_slices_empty_without_work(lite_medsam, disc: Volume) -> None:
    deep = Box(world(disc, 14, 20, 0), world(disc, 46, 60, 1))
    answer = lite_medsam.segment(request(disc, Prompts(boxes=(deep,)), slices=(3, 4)))
    assert not np.asarray(answer.probability.data).any()
    assert answer.score is None


@pytest.mark.slow
def test_embeddings_are_computed_once_for_one_key(lite_medsam, disc: Volume) -> None:
    asked = request(disc, Prompts(boxes=(box_around(disc),)), cache_key="once")
    lite_medsam.prepare(asked)
    first, second = lite_medsam.segment(asked), lite_medsam.segment(asked)
    assert first.used["slices_encoded"] == second.used["slices_encoded"] == 0
    assert first.used["slices_drawn"] == 1
    assert np.array_equal(first.probability.data, second.probability.data)
    # Other images under another key are not mistaken for these.
    inverted = Volume(np.asarray(255.0 - disc.data, dtype=np.float32), disc.grid)
    third = lite_medsam.segment(request(inverted, asked.prompts, cache_key="other"))
    assert third.used["slices_encoded"] == 1
    assert not np.array_equal(first.probability.data, third.probability.data)


def test_what_was_used_is_said_in_plain_json(lite_medsam, disc: Volume) -> None:
    used = lite_medsam.segment(request(disc, Prompts(boxes=(box_around(disc),)), cache_key="disc")).used
    assert json.loads(json.dumps(used)) == used
    assert used["boxes"] == "drawn-box"
    assert used["seconds"]["network"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
def test_images_without_contrast_or_numbers_get_an_answer(lite_medsam, disc: Volume, value: float) -> None:
    flat = Volume(np.full(SHAPE, value, dtype=np.float32), disc.grid)
    probability = np.asarray(lite_medsam.segment(request(flat, Prompts(boxes=(box_around(disc),)))).probability.data)
    assert np.isfinite(probability).all()


@pytest.mark.parametrize(
    ("prompts", "code"),
    [
        (Prompts(clicks=(Click((float("nan"), 0.0, 0.0)),)), "prompt-not-finite"),
        (Prompts(clicks=(Click((900.0, 0.0, 0.0)),)), "prompt-outside"),
        (Prompts(boxes=(Box((900.0, 0.0, 0.0), (950.0, 9.0, 0.0)),)), "prompt-outside"),
        (Prompts(clicks=(Click((-30.0, -40.0, 10.0), positive=False),)), "prompt-negative-only"),
    ],
)
def test_prompts_that_cannot_be_are_refused(lite_medsam, disc: Volume, prompts: Prompts, code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        lite_medsam.segment(request(disc, prompts))
    assert caught.value.code == code


def test_requests_that_cannot_be_are_refused(lite_medsam, disc: Volume) -> None:
    asked = request(disc, Prompts())
    for wrong, code in (
        (replace(asked, target="t1"), "sequence-missing"),
        (replace(asked, slices=(9,)), "slice-index"),
        (replace(asked, slice_axis=5), "slice-axis"),
    ):
        with pytest.raises(RejectedInput) as caught:
            lite_medsam.segment(wrong)
        assert caught.value.code == code
    with pytest.raises(RejectedInput, match="cache key"):
        lite_medsam.prepare(asked)


def test_preprocessing_by_hand() -> None:
    grey = np.full((100, 200), 50, dtype=np.uint8)
    grey[:, 100:] = 250
    picture = prepared(grey)
    assert picture.shape == (256, 256)
    assert (picture[:128, :128] == 0).all()
    assert (picture[:128, 128:] == 1).all()
    assert (picture[128:] == 0).all()
    assert scaled_shape((100, 200)) == (128, 256)
    assert scaled_shape((1, 2000)) == (1, 256)


def test_shrinking_takes_the_mean_of_the_area() -> None:
    checkers = (np.indices((512, 512)).sum(axis=0) % 2 * 200).astype(np.uint8)
    checkers[:2, :2] = 0
    picture = prepared(checkers)
    assert picture[0, 0] == 0
    assert (picture.ravel()[1:] == 1).all()


def test_boxes_are_scaled_and_truncated() -> None:
    from training.prompts.picture_boxes import PictureBox

    assert scaled_box(PictureBox(top=10, left=21, bottom=99, right=150), shape=(100, 200)) == (26, 12, 192, 126)
