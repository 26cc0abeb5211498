"""Grey values as published: the window of what is above zero, truncated to 8 bits."""

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from datasets.study.protocol import Modality
from tests.training.support.synthetic import lps_grid
from training.prompts.prompt import Box, Prompts
from training.segmenters.boxes.box_propagation import BoxPrediction
from training.segmenters.boxes.box_segmenter import BoxSegmenter
from training.segmenters.grey_slices import GreyRule, GreySlices, truncated_to_8_bits
from training.segmenters.segmenter import SegmentationRequest

RULE = GreyRule(0.5, 99.5, foreground_only=True)
SHAPE = (12, 10, 4)


def volume(data: np.ndarray) -> Volume:
    return Volume(data.astype(np.float32), lps_grid(SHAPE, (1.0, 1.0, 3.0)))


def slices(data: np.ndarray) -> GreySlices:
    return GreySlices(SegmentationRequest({"t1": volume(data)}, "t1"), RULE)


def test_fractions_are_dropped_and_ends_clipped() -> None:
    grey = truncated_to_8_bits(np.array([-5.0, 0.0, 0.999, 1.0, 1.999, 254.999, 255.0, 900.0]), window=(0.0, 255.0))
    assert grey.tolist() == [0, 0, 0, 1, 1, 254, 255, 255]


def test_what_is_no_number_becomes_a_grey_value() -> None:
    grey = truncated_to_8_bits(np.array([np.nan, np.inf, -np.inf]), window=(10.0, 20.0))
    assert grey.tolist() == [0, 255, 0]


def test_zeros_take_no_part_in_the_window_and_stay_black() -> None:
    data = np.zeros(SHAPE)
    data[3:] = np.random.default_rng(0).uniform(100, 200, data[3:].shape)
    found = slices(data)
    low, high = found.window()
    assert (low, high) == pytest.approx(np.percentile(data[data > 0], [0.5, 99.5]), rel=1e-5)
    grey = found.grey(2, window=(low, high))
    assert grey.shape == (10, 12)
    assert (grey[:, :3] == 0).all()
    assert grey.max() >= 250


@pytest.mark.parametrize("data", [np.zeros(SHAPE), np.full(SHAPE, -3.0), np.full(SHAPE, np.nan), np.full(SHAPE, 7.0)])
def test_images_without_contrast(data: np.ndarray) -> None:
    found = slices(data)
    assert found.grey(0, window=found.window()).dtype == np.uint8


@pytest.mark.parametrize(
    "change", [{"low_percentile": 99.9}, {"high_percentile": 101.0}, {"low_percentile": "x"}, {"foreground_only": ...}]
)
def test_rules_that_cannot_be(change: dict) -> None:
    parameters = {"low_percentile": 0.5, "high_percentile": 99.5, "foreground_only": True} | change
    with pytest.raises(RejectedInput) as caught:
        GreyRule.from_parameters({name: value for name, value in parameters.items() if value is not ...})
    assert caught.value.code == "package-parameters"


class Inside:
    """Draws the box itself."""

    def embed(self, grey: np.ndarray) -> np.ndarray:
        return grey[None].astype(np.float32)

    def draw(self, embedding: np.ndarray, boxes: object, shape: tuple[int, int]) -> BoxPrediction:
        return BoxPrediction(np.ones(shape, dtype=np.float32), 1.0)


@pytest.mark.parametrize("cache_key", ["", "a case of grey slices"])
def test_the_window_is_found_once(monkeypatch: pytest.MonkeyPatch, cache_key: str) -> None:
    calls = []
    window = GreySlices.window
    monkeypatch.setattr(GreySlices, "window", lambda self: calls.append(1) or window(self))
    image = volume(np.random.default_rng(1).uniform(1, 9, SHAPE))
    ends = [tuple(float(value) for value in image.grid.to_world(at)) for at in ((2, 2, 0), (8, 8, 3))]
    asked = SegmentationRequest({"t1": image}, "t1", Prompts(boxes=(Box(*ends),)), cache_key=cache_key)
    segmenter = BoxSegmenter(Inside(), title="inside-1", rule=RULE)
    assert segmenter.segment(asked).used["slices_encoded"] == 4
    assert len(calls) == 1
    assert segmenter.segment(asked).used["slices_encoded"] == (0 if cache_key else 4)
    assert len(calls) == (1 if cache_key else 2)


def test_a_ct_has_the_window_of_soft_tissue() -> None:
    """400 HU around 40, as MedSAM and LiteMedSAM saw CT, whatever the rule of the package says of other images."""
    image = volume(np.full(SHAPE, 40.0))
    shown = GreySlices(SegmentationRequest({"ct": image}, "ct", modality=Modality.CT), RULE)
    assert shown.window() == (-160.0, 240.0)
    assert np.unique(shown.grey(0, window=shown.window())).tolist() == [127]
