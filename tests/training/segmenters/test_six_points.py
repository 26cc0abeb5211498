"""Six points: what the network is shown of a region, mirrored copies and members, and refusals."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.image.orientation import as_ras
from tests.training.support.ball_examples import ball_example
from training.inputs.canvas import Picture
from training.inputs.intensity_rules import rule_of
from training.networks.unet_plan import UNetPlan
from training.prompts.prompt import Prompts
from training.prompts.simulated_points import points_mm, six_points
from training.segmenters.postprocessing import Cleaning
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.six_points import PointsMap, PointsPlan, SixPointsSegmenter, points_input

PLAN = PointsPlan(
    {"t1": rule_of("t1"), "t2": rule_of("t2")},
    (1.5, 1.5, 3.0),
    20_000,
    UNetPlan.uniform(channels=5, widths=(4, 8, 8)),
    mirrored=(0, 1),
    cleaning=Cleaning.LARGEST_COMPONENT,
)
EXAMPLE = ball_example(0, ("t1", "t2"))
GRID = as_ras(EXAMPLE.volumes["t1"]).grid
POINTS = six_points(EXAMPLE.inside, GRID.spacing, np.random.default_rng(0)).astype(float)


def request(**changes: Any) -> SegmentationRequest:
    asked = SegmentationRequest(EXAMPLE.volumes, "t1", Prompts(extreme_points=points_mm(POINTS.astype(int), GRID)))
    return replace(asked, **changes)


def shown(plan: PointsPlan = PLAN) -> Picture:
    images = [EXAMPLE.raw(name) for name in plan.channels]
    return points_input(images, POINTS, GRID, region=plan.region(POINTS, GRID), plan=plan)


def test_there_and_back_as_json() -> None:
    read = PointsPlan.from_parameters(json.loads(json.dumps(PLAN.parameters | {"fit": {}})))
    assert read == PLAN
    assert list(read.channels) == list(PLAN.channels)


CHANGES: list[dict[str, Any]] = [
    {"maps": ["geodesic"]},
    {"maps": ["pudding"]},
    {"spacing": [1, 1]},
    {"members": 0},
    {"network": {}},
    {"channels": []},
]


@pytest.mark.parametrize("change", CHANGES, ids=[str(change) for change in CHANGES])
def test_what_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput):
        PointsPlan.from_parameters(PLAN.parameters | change)


def test_the_region_holds_the_points_and_room() -> None:
    region = PLAN.region(POINTS, GRID)
    first, last = np.array(region.first), np.array(region.first) + region.size - 1
    assert (first <= np.maximum(POINTS.min(axis=0) - 8, 0)).all()
    assert (last >= np.minimum(POINTS.max(axis=0) + 8, np.array(GRID.shape) - 1)).all()
    assert EXAMPLE.inside[region.slices].sum() == EXAMPLE.inside.sum()


def test_the_network_sees_images_and_maps() -> None:
    picture = shown()
    assert picture.shape[0] == 5
    assert picture.dtype == np.float32
    assert picture[0].size <= 1.5 * PLAN.budget
    region = PLAN.region(POINTS, GRID)
    placed = np.rint(region.on_canvas(POINTS, picture.shape[1:])).astype(int)
    geodesic, ellipsoid, spots = picture[2:]
    for point in placed:
        assert geodesic[tuple(point)] == pytest.approx(1.0)
        assert spots[tuple(point)] > 0.3, "spots that overlap are brighter than one alone"
    assert spots.max() == 1.0
    middle = (placed.min(axis=0) + placed.max(axis=0)) / 2
    brightest = np.unravel_index(ellipsoid.argmax(), ellipsoid.shape)
    assert np.abs(np.array(brightest) - middle).max() <= 1.0
    assert ellipsoid.max() > 0.6
    assert ellipsoid[0, 0, 0] < 0.1
    assert np.corrcoef(picture[0].ravel(), picture[1].ravel())[0, 1] > 0.7, "both images show the ball"


def test_maps_are_as_chosen() -> None:
    one = replace(PLAN, maps=(PointsMap.SPOTS,), network=replace(PLAN.network, channels=3))
    np.testing.assert_array_equal(shown(one)[2], shown()[4])


def answering(shown_pictures: list[Picture] | None = None) -> Any:
    def answer(*inputs: Picture) -> Picture:
        if shown_pictures is not None:
            shown_pictures.append(inputs[0][0].copy())
        return 6 * (inputs[0][:, :1] - 0.7)

    return answer


def test_a_network_that_knows_the_ball_draws_it_in_place() -> None:
    answer = SixPointsSegmenter([answering()], PLAN, title="known-1").segment(request())
    inside = answer.probability.data > 0.5
    truth = EXAMPLE.mask.foreground
    assert 2 * (inside & truth).sum() / (inside.sum() + truth.sum()) > 0.85
    assert answer.model_version == "known-1"
    json.dumps(answer.used)
    assert set(answer.used["seconds"]) == {"map", "network", "postprocessing"}


@pytest.mark.parametrize("mirrored", [(), (0,), (0, 1), (0, 1, 2)])
def test_mirrored_copies_are_all_combinations_and_are_turned_back(mirrored: tuple[int, ...]) -> None:
    seen: list[Picture] = []
    plan = replace(PLAN, mirrored=mirrored)
    answer = SixPointsSegmenter([answering(seen)], plan, title="a").segment(request()).probability.data
    assert len({each.tobytes() for each in seen}) == len(seen) == 2 ** len(mirrored)
    # What the network answers does not depend on the mirror, so that neither does the mean of the copies.
    plain = SixPointsSegmenter([answering()], replace(PLAN, mirrored=()), title="a").segment(request())
    np.testing.assert_allclose(answer, plain.probability.data, atol=1e-5)


def test_members_are_averaged_as_logits() -> None:
    members = [lambda *shown, own=own: np.full_like(shown[0][:, :1], own) for own in (-4.0, 1.0, 6.0)]
    plan = replace(PLAN, cleaning=Cleaning.NONE, members=3)
    found = SixPointsSegmenter(members, plan, title="a").segment(request()).probability.data  # type: ignore[arg-type]
    assert found.max() == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-5)


def test_each_member_sees_the_spacing_that_its_fold_planned() -> None:
    fine, coarse = replace(PLAN, cleaning=Cleaning.NONE), replace(PLAN, cleaning=Cleaning.NONE, spacing=(3.0, 3.0, 6.0))
    both = replace(fine, members=3, spacings=(fine.spacing, coarse.spacing, fine.spacing))
    assert PointsPlan.from_parameters(json.loads(json.dumps(both.parameters))) == both
    seen: list[list[Picture]] = [[], [], []]
    found = SixPointsSegmenter([answering(each) for each in seen], both, title="a").segment(request())
    for pictures, plan in zip(seen, (fine, coarse, fine), strict=True):
        np.testing.assert_array_equal(pictures[0], shown(plan))
    assert shown(fine).shape != shown(coarse).shape
    alone = [SixPointsSegmenter([answering()], plan, title="a").segment(request()) for plan in (fine, coarse)]
    inside = found.probability.data > 0
    one, other = (np.log(each.probability.data[inside] / (1 - each.probability.data[inside])) for each in alone)
    expected = 1 / (1 + np.exp(-(2 * one + other) / 3))
    np.testing.assert_allclose(found.probability.data[inside], expected, atol=1e-4)


@pytest.mark.parametrize("spacings", [((1.5, 1.5, 3.0),), ((1.5, 1.5, 3.0), (0.0, 1.0, 1.0))])
def test_spacings_that_do_not_fit_the_members_are_refused(spacings: Any) -> None:
    with pytest.raises(RejectedInput, match="package-parameters"):
        PointsPlan.from_parameters(PLAN.parameters | {"members": 2, "spacings": spacings})


def test_a_missing_image_is_refused() -> None:
    with pytest.raises(RejectedInput, match="sequence-missing"):
        SixPointsSegmenter([answering()], PLAN, title="a").segment(request(volumes={"t1": EXAMPLE.volumes["t1"]}))
