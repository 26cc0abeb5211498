"""Masks carried to the next slices: order, what is known stays, what moves is followed."""

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.volume import Volume
from tests.training.synthetic import lps_grid
from training.propagation import refreshed
from training.segmenters.segmenter import SegmentationRequest

SHAPE = (64, 60, 12)


def disc(row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.indices((SHAPE[1], SHAPE[0]))
    return np.hypot(rows - row, columns - column) < radius


def truth(index: int) -> np.ndarray:
    """A disc that wanders to the right and shrinks."""
    return disc(30, 20 + 2 * index, 12 - index / 2)


def request() -> SegmentationRequest:
    random = np.random.default_rng(0)
    data = random.normal(60, 4, SHAPE).astype(np.float32)
    for index in range(SHAPE[2]):
        data[:, :, index] += 60 * truth(index).T
    return SegmentationRequest({"t1": Volume(data, lps_grid(SHAPE, (1.0, 1.0, 3.3)))}, "t1")


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


def test_nearest_first_and_known_slices_are_left_out() -> None:
    known = {3: truth(3), 9: truth(9)}
    found = [index for index, _ in refreshed(request(), known, range(12))]
    assert found == [2, 4, 8, 10, 1, 5, 7, 11, 0, 6]


def test_a_moving_disc_is_followed_better_than_copied() -> None:
    found = dict(refreshed(request(), {0: truth(0)}, range(12)))
    for index in (2, 4, 6):
        assert dice(found[index], truth(index)) > 0.9
        assert dice(found[index], truth(index)) > dice(truth(0), truth(index)) + 0.1


def test_nothing_known_nothing_drawn() -> None:
    assert list(refreshed(request(), {}, range(12))) == []


def test_refusals() -> None:
    with pytest.raises(RejectedInput, match="slice-index"):
        list(refreshed(request(), {0: truth(0)}, [12]))
    with pytest.raises(RejectedInput, match="carried-shape"):
        list(refreshed(request(), {0: truth(0).T}, [1]))
