"""Drawing by ever closer regions, with networks whose answers are known."""

import gc
from collections.abc import Callable

import numpy as np
import pytest

from training.inputs.canvas import Picture, Region, resized
from training.inputs.intensity_rules import Greys, IntensityRule, rule_of
from training.memory import process_memory
from training.networks.unet_plan import UNetPlan
from training.segmenters.clicks.click_plan import NO_INFORMATION, CanvasClicks, ClickPlan
from training.segmenters.clicks.click_predictor import ClickPredictor, InputImages
from training.segmenters.postprocessing import Cleaning

SHAPE = (60, 50, 40)
CANVAS = (16, 16, 16)
NONE = CanvasClicks(np.empty((0, 3)), np.empty((0, 3)))
AS_IT_IS = Greys(0.0, 1.0, 5.0)


class Known:
    """A network that answers what is told of what it is shown, and keeps it."""

    def __init__(self, answer: Callable[[Picture], Picture]) -> None:
        self.shown: list[Picture] = []
        self._answer = answer

    def __call__(self, *inputs: Picture) -> Picture:
        self.shown.append(inputs[0][0].copy())
        return self._answer(inputs[0][0])[None, None].astype(np.float32)


def plan(*, automatic: bool = False, members: int = 1, cleaning: Cleaning = Cleaning.NONE) -> ClickPlan:
    refiner, first = (UNetPlan.uniform(channels=count, widths=(4, 8, 8)) for count in (4, 1))
    return ClickPlan(
        {"t1": rule_of("t1")},
        CANVAS,
        refiner,
        first if automatic else None,
        sees_previous=True,
        members=members,
        cleaning=cleaning,
    )


def box_image(lower: tuple[int, int, int] = (20, 16, 12), upper: tuple[int, int, int] = (30, 26, 20)) -> Picture:
    image = np.zeros(SHAPE, np.float32)
    image[tuple(slice(one, other) for one, other in zip(lower, upper, strict=True))] = 1.0
    return image


def images(image: Picture, name: str = "") -> InputImages:
    return InputImages([image], [AS_IT_IS], name)


def bright(shown: Picture) -> Picture:
    """A network that knows: what is bright is tumour."""
    return (shown[0] - 0.5) * 20


def test_it_looks_at_all_and_then_closer_at_what_it_found() -> None:
    network, image = Known(bright), box_image()
    prediction = ClickPredictor(plan(), [network]).draw(
        images(image), CanvasClicks(np.array([[25.0, 20, 15]]), NONE.negative)
    )
    assert prediction.passes == len(network.shown) == 2
    np.testing.assert_array_equal(network.shown[0][0], resized(image, CANVAS))
    assert (network.shown[0][3] == NO_INFORMATION).all()
    assert (network.shown[1][3] != NO_INFORMATION).any(), "the second look sees what the first found"
    lower, upper = np.argwhere(image).min(axis=0), np.argwhere(image).max(axis=0)
    first, size = np.array(prediction.region.first), np.array(prediction.region.size)
    assert (first <= lower - 6).all()
    assert (first + size > upper + 6).all()
    assert np.prod(size) < 0.7 * image.size
    inside = prediction.probability > 0.5
    assert 2 * (inside & (image > 0)).sum() / (inside.sum() + image.sum()) > 0.9
    outside = np.ones(SHAPE, bool)
    outside[prediction.region.slices] = False
    assert not prediction.probability[outside].any()
    assert set(prediction.seconds) == {"crop", "map", "network", "postprocessing"}


def test_a_later_click_is_one_look_at_the_earlier_mask_and_the_clicks() -> None:
    network, image = Known(bright), box_image()
    previous = np.where(box_image((20, 16, 12), (26, 22, 16)) > 0, 0.8, 0.1).astype(np.float32)
    clicks = CanvasClicks(np.array([[29.0, 25, 19]]), np.array([[2.0, 2, 2]]))
    prediction = ClickPredictor(plan(), [network]).draw(images(image), clicks, previous)
    assert prediction.passes == len(network.shown) == 1
    region = prediction.region
    assert region == Region.around((20, 16, 12), (29, 25, 19), shape=SHAPE, relaxed=0.25, least=6)
    np.testing.assert_array_equal(network.shown[0][3], resized(previous[region.slices], CANVAS))
    np.testing.assert_array_equal(network.shown[0][0], resized(image[region.slices], CANVAS))
    placed = np.rint(region.on_canvas([[29.0, 25, 19]], CANVAS)[0]).astype(int)
    assert network.shown[0][(1, *placed)] == 1.0
    assert not network.shown[0][2].any(), "the negative click lies beyond the region"


def test_without_clicks_the_automatic_network_draws_and_with_them_it_comes_first() -> None:
    automatic, refiner, image = Known(bright), Known(lambda shown: (shown[3] - 0.5) * 10), box_image()
    predictor = ClickPredictor(plan(automatic=True), [refiner], [automatic])
    alone = predictor.draw(images(image), NONE)
    assert not refiner.shown
    assert all(shown.shape == (1, *CANVAS) for shown in automatic.shown)
    inside = alone.probability > 0.5
    assert 2 * (inside & (image > 0)).sum() / (inside.sum() + image.sum()) > 0.9
    looks = len(automatic.shown)
    clicked = predictor.draw(images(image), CanvasClicks(np.array([[25.0, 20, 15]]), NONE.negative))
    assert (len(automatic.shown), len(refiner.shown)) == (2 * looks, 1)
    np.testing.assert_array_equal(
        refiner.shown[0][3], resized(alone.probability[clicked.region.slices], CANVAS), "what the first network said"
    )
    assert clicked.passes == looks + 1


def test_where_nothing_is_found_all_is_looked_at_once() -> None:
    network = Known(lambda shown: np.full(CANVAS, -9.0))
    prediction = ClickPredictor(plan(), [network]).draw(
        images(box_image()), CanvasClicks(np.array([[5.0, 5, 5]]), NONE.negative)
    )
    assert prediction.passes == 1
    assert prediction.region == Region.whole(SHAPE)
    assert prediction.probability.max() < 0.01


def test_members_are_averaged_as_probabilities() -> None:
    logits = (-1.0, 0.5, 3.0)
    networks = [Known(lambda shown, own=own: np.full(CANVAS, own)) for own in logits]  # type: ignore[misc]
    prediction = ClickPredictor(plan(members=3), networks).draw(images(box_image()), NONE)
    expected = np.mean([1 / (1 + np.exp(-own)) for own in logits])
    np.testing.assert_allclose(prediction.probability, expected, atol=1e-6)


def test_the_mask_is_cleaned_as_the_plan_says() -> None:
    image = np.maximum(box_image(), box_image((50, 40, 30), (56, 46, 36)))
    found = {}
    for cleaning in (Cleaning.NONE, Cleaning.LARGEST_COMPONENT):
        prediction = ClickPredictor(plan(cleaning=cleaning), [Known(bright)]).draw(images(image), NONE)
        found[cleaning] = bool((prediction.probability[50:, 40:, 30:] > 0.5).any())
    assert found == {Cleaning.NONE: True, Cleaning.LARGEST_COMPONENT: False}


@pytest.mark.slow
def test_named_canvases_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from training.segmenters.clicks import click_predictor

    made = []
    real = click_predictor.on_canvas
    monkeypatch.setattr(click_predictor, "on_canvas", lambda *given, **named: made.append(1) or real(*given, **named))
    predictor, image = ClickPredictor(plan(), [Known(bright)]), box_image()
    first = predictor.draw(images(image, "case"), NONE)
    count = len(made)
    again = predictor.draw(images(image, "case"), NONE)
    assert len(made) == count
    np.testing.assert_array_equal(first.probability, again.probability)
    predictor.draw(images(image, "other"), NONE)
    assert len(made) == 2 * count
    predictor.draw(images(image), NONE)
    predictor.draw(images(image), NONE)
    assert len(made) == 4 * count
    kept = len(process_memory())
    del predictor
    gc.collect()
    assert len(process_memory()) == kept - 2 * count


def test_two_axes() -> None:
    network = Known(lambda shown: (shown[0] - 0.5) * 20)
    refiner = UNetPlan.uniform(channels=4, widths=(4, 8, 8), dimensions=2)
    flat = ClickPlan({"t1": IntensityRule.ZSCORE}, (32, 32), refiner, sees_previous=True)
    picture = box_image()[:, :, 15]
    clicks = CanvasClicks(np.array([[25.0, 20]]), np.empty((0, 2)))
    prediction = ClickPredictor(flat, [network]).draw(images(picture), clicks)
    inside = prediction.probability > 0.5
    assert 2 * (inside & (picture > 0)).sum() / (inside.sum() + picture.sum()) > 0.9
    placed = np.rint(prediction.region.on_canvas([[25.0, 20]], (32, 32))[0]).astype(int)
    assert network.shown[-1][(1, *placed)] == 1.0
