"""Whole volumes: tiles cover them and agree with one pass, mirrored copies turn back, and damaged plans are refused."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from datasets.errors import RejectedInput
from tests.training.support.ball_examples import ball_example
from training.inputs.canvas import Picture
from training.inputs.intensity_rules import rule_of
from training.networks.unet_plan import UNetPlan
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.tiling import tiled_fields, tiles
from training.segmenters.volumes import View, VolumePlan, VolumeSegmenter

PLAN = VolumePlan(
    {"t1": rule_of("t1"), "t2": rule_of("t2")},
    (1.5, 1.5, 3.0),
    (16, 16, 8),
    UNetPlan.uniform(channels=2, widths=(4, 8, 8)),
    mirrored=(0, 1),
)
EXAMPLE = ball_example(0, ("t1", "t2"))
REQUEST = SegmentationRequest(EXAMPLE.volumes, "t1")
UNSURE = replace(REQUEST, wants_uncertainty=True)


def first_image(picture: Picture) -> Picture:
    """A network that answers each voxel with its own grey of the first image."""
    return np.ascontiguousarray(picture[:, :1])


def logits_of(picture: Picture, *members: Any) -> Picture:
    mean: Picture = tiled_fields(
        picture, PLAN.tile(picture.shape[1:]), members, mirrored=PLAN.mirrored, with_spread=False
    )[0]
    return mean


def logit(probability: Picture) -> Picture:
    return np.log(probability / (1.0 - probability))


def drawn_by(network: Any, plan: VolumePlan = PLAN) -> VolumeSegmenter:
    return VolumeSegmenter([network] * plan.members, plan, title="three-d-1")


def test_there_and_back_as_json() -> None:
    own = replace(PLAN, members=2, networks=(PLAN.network, UNetPlan.uniform(channels=2, widths=(4, 8, 16))))
    for plan in (PLAN, own):
        assert VolumePlan.from_parameters(json.loads(json.dumps(plan.parameters | {"fit": {}}))) == plan


@pytest.mark.parametrize(
    "change",
    [
        {"spacing": [1, 1]}, {"members": 0}, {"members": 10**12}, {"network": {}}, {"channels": []},
        {"canvas": [16, 16, 6]}, {"canvas": [16, 16]}, {"canvas": [1 << 20, 1 << 20, 8]}, {"mirrored": [0, 0]},
        {"mirrored": [3]}, {"cleaning": "soap"}, {"view": "sideways"}, {"spacings": [[1, 1, 1], [2, 2, 2]]},
        {"canvases": [[16, 16, 6]]},
    ],
)  # fmt: skip
def test_a_plan_that_does_not_fit_itself_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput) as refusal:
        VolumePlan.from_parameters(PLAN.parameters | change)
    assert refusal.value.code in ("package-parameters", "network-plan")


@pytest.mark.parametrize("shape", [(16, 16, 8), (17, 40, 8), (50, 16, 30)])
def test_tiles_cover_all_and_overlap_by_half(shape: tuple[int, int, int]) -> None:
    seen = np.zeros(shape, dtype=int)
    starts: list[set[int]] = [set(), set(), set()]
    for tile in tiles(shape, PLAN.canvas):
        assert seen[tile].shape == PLAN.canvas
        seen[tile] += 1
        for axis, part in enumerate(tile):
            starts[axis].add(part.start)
    assert seen.min() >= 1
    for found, side in zip(starts, PLAN.canvas, strict=True):
        assert max(np.diff(sorted(found)), default=0) <= side // 2 + 1


def test_a_picture_that_is_a_little_longer_than_a_tile_is_one_longer_tile() -> None:
    assert PLAN.tile((16, 16, 8)) == (16, 16, 8)
    assert PLAN.tile((10, 24, 3)) == (16, 24, 8), "an axis that is shorter is filled up"
    assert PLAN.tile((23, 25, 12)) == (24, 16, 12), "to a multiple of what the network halves; longer ones are cut"


@pytest.mark.parametrize("shape", [(9, 16, 3), (20, 30, 11), (40, 40, 8)])
def test_tiles_margins_and_mirrored_copies_give_back_what_a_network_says(shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    np.testing.assert_allclose(logits_of(picture, first_image), picture[0], atol=1e-5)


def test_the_members_logits_are_averaged() -> None:
    picture = np.ones((2, 16, 16, 8), dtype=np.float32)
    members = [lambda shown: first_image(shown) * 2.0, lambda shown: first_image(shown) * 4.0]
    np.testing.assert_allclose(logits_of(picture, *members), 3.0)


def test_members_that_see_other_voxels_are_averaged_on_the_image() -> None:
    finer = replace(PLAN, spacing=(1.0, 1.0, 2.0), canvas=(24, 24, 16))
    alone = [drawn_by(first_image, plan).segment(UNSURE) for plan in (PLAN, finer)]
    both = replace(PLAN, members=3, spacings=(PLAN.spacing, finer.spacing, finer.spacing),
                   canvases=(PLAN.canvas, finer.canvas, finer.canvas))  # fmt: skip
    together = drawn_by(first_image, both).segment(UNSURE)
    first, second = (logit(each.probability.data) for each in alone)
    np.testing.assert_allclose(logit(together.probability.data), (first + 2 * second) / 3, atol=1e-3)
    assert VolumePlan.from_parameters(json.loads(json.dumps(both.parameters))) == both
    assert together.uncertainty is not None
    assert together.uncertainty.data.shape == EXAMPLE.mask.grid.shape


def test_a_model_that_sees_volumes_whole_is_shown_one_tile_of_any_volume() -> None:
    shown = []

    def network(picture: Picture) -> Picture:
        shown.append(picture.shape)
        return first_image(picture)

    plan = replace(PLAN, view=View.WHOLE, mirrored=())
    found = drawn_by(network, plan).segment(REQUEST)
    assert shown == [(1, 2, *PLAN.canvas)]
    assert found.probability.grid == EXAMPLE.volumes["t1"].grid
    assert VolumePlan.from_parameters(json.loads(json.dumps(plan.parameters))) == plan


def test_the_answer_lies_on_the_images_own_grid_and_follows_its_greys() -> None:
    found = drawn_by(first_image).segment(REQUEST)
    assert found.probability.grid == EXAMPLE.volumes["t1"].grid
    ball = EXAMPLE.mask.foreground
    inside, outside = found.probability.data[ball].mean(), found.probability.data[~ball].mean()
    assert abs(float(inside - outside)) > 0.1, "the ball has greys of its own"


def test_an_image_that_is_missing_is_named() -> None:
    with pytest.raises(RejectedInput, match="t2"):
        drawn_by(first_image).segment(replace(REQUEST, volumes={"t1": EXAMPLE.volumes["t1"]}))
