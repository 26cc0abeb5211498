"""The plan of a click model: what its networks are shown, kept in packages, refused where nothing fits."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from datasets.errors import RejectedInput
from training.inputs.canvas import Region
from training.inputs.intensity_rules import rule_of
from training.networks.unet_plan import UNetPlan
from training.segmenters.clicks.click_plan import NO_INFORMATION, CanvasClicks, ClickPlan
from training.segmenters.postprocessing import Cleaning

RULES = {"pet": rule_of("pet"), "ct": rule_of("ct")}
PLAN = ClickPlan(
    RULES,
    (16, 16, 8),
    UNetPlan.uniform(channels=5, widths=(4, 8, 8)),
    UNetPlan.uniform(channels=2, widths=(4, 8, 8)),
    sees_previous=True,
    members=3,
    margin=0.1,
    cleaning=Cleaning.BOTH,
)
FLAT = ClickPlan({"t1": rule_of("t1")}, (32, 16), UNetPlan.uniform(channels=3, widths=(4, 8, 8), dimensions=2))
NONE = np.empty((0, 3))


@pytest.mark.parametrize("plan", [PLAN, FLAT])
def test_there_and_back_as_json(plan: ClickPlan) -> None:
    read = ClickPlan.from_parameters(json.loads(json.dumps(plan.parameters | {"fit": {"more": 1}})))
    assert read == plan
    assert list(read.channels) == list(plan.channels), "the order of images is kept"


def test_what_is_shown_is_images_clicks_and_the_previous_probability() -> None:
    images = np.random.default_rng(0).standard_normal((2, 16, 16, 8)).astype(np.float32)
    clicks = CanvasClicks(np.array([[3.2, 4.4, 5.0]]), np.array([[10.0, 11.0, 2.0], [1.0, 1.0, 7.0]]))
    previous = np.full((16, 16, 8), 0.25, np.float32)
    shown = PLAN.refiner_input(images, clicks, previous)
    assert (shown.shape, shown.dtype) == ((5, 16, 16, 8), np.float32)
    np.testing.assert_array_equal(shown[:2], images)
    assert np.argwhere(shown[2] == shown[2].max()).tolist() == [[3, 4, 5]]
    assert {tuple(each) for each in np.argwhere(shown[3] > 0.999)} == {(10, 11, 2), (1, 1, 7)}
    np.testing.assert_array_equal(shown[4], previous)
    assert (PLAN.refiner_input(images, clicks, None)[4] == NO_INFORMATION).all()
    empty = PLAN.refiner_input(images, CanvasClicks(NONE, NONE), None)
    assert not empty[2:4].any()
    assert replace(PLAN, sees_previous=False, refiner=UNetPlan.uniform(channels=4, widths=(4, 8, 8))).refiner_input(
        images, clicks, previous
    ).shape == (4, 16, 16, 8)


def test_clicks_move_with_their_region_and_those_beyond_it_are_left_out() -> None:
    region = Region((10, 20, 30), (32, 16, 8))
    clicks = CanvasClicks(np.array([[10, 20, 30], [41, 35, 37], [9, 20, 30], [42, 20, 30]]), np.array([[26, 28, 34]]))
    moved = clicks.moved(region, (16, 16, 16))
    np.testing.assert_allclose(moved.positive, [[0, 0, 0.5], [15, 15, 14.5]])
    np.testing.assert_allclose(moved.negative, [[7.75, 8, 8.5]])
    assert not moved.are_none
    assert CanvasClicks(NONE, NONE).are_none


MISSHAPED: list[dict[str, Any]] = [
    {"cleaning": "thorough"},
    {"channels": [{"image": "ct"}]},
    {"refiner": None},
    {"automatic": {}},
]
"""Not even the shape of a plan."""

CHANGES: list[dict[str, Any]] = [
    {"canvas": [16, 16]},
    {"canvas": [16, 16, 9]},
    {"members": 0},
    {"members": "two"},
    {"sigma": 0.0},
    {"margin": 3.0},
    {"sees_previous": False},
    {"channels": [{"image": "ct", "rule": "ct-window"}]},
    *MISSHAPED,
]


@pytest.mark.parametrize("change", CHANGES, ids=[str(change) for change in CHANGES])
def test_what_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput) as caught:
        ClickPlan.from_parameters(json.loads(json.dumps(PLAN.parameters)) | change)
    assert caught.value.code == ("package-parameters" if change in MISSHAPED else "click-plan")
    assert caught.value.remedy
