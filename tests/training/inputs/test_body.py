"""The body's box: air is left out, two legs are kept, and where there is no air all is body."""

import numpy as np
import pytest

from datasets.image.volume import Grid
from training.inputs.body import body_box, grid_within

GRID = Grid((100, 80, 20), np.diag([1.0, 1.0, 5.0, 1.0]))


def noise(amount: float = 2.0) -> np.ndarray:
    return np.abs(np.random.default_rng(0).normal(0.0, amount, GRID.shape)).astype(np.float32)


def test_two_legs_with_a_margin_of_ten_millimetres() -> None:
    image = noise()
    image[20:40, 30:60, 4:12] += 100.0
    image[60:75, 30:55, 4:12] += 100.0
    image[95:97, 2:4, 18:19] += 100.0  # a speck of the coil
    # 10 voxels of 1 mm on each side, 2 slices of 5 mm
    assert body_box(image, GRID, "t1") == (slice(10, 85), slice(20, 70), slice(2, 14))


def test_ct_is_cut_at_lung_and_air() -> None:
    image = np.full(GRID.shape, -1000.0, dtype=np.float32)
    image[30:70, 30:60] = -100.0  # fat
    assert body_box(image, GRID, "ct") == (slice(20, 80), slice(20, 70), slice(0, 20))


@pytest.mark.parametrize("image", [np.full(GRID.shape, 80.0), np.zeros(GRID.shape), np.full(GRID.shape, np.nan)])
def test_where_no_body_stands_out_all_is_body(image: np.ndarray) -> None:
    assert body_box(image, GRID, "t1") == (slice(0, 100), slice(0, 80), slice(0, 20))


def test_a_large_image_is_looked_at_in_steps_and_loses_nothing() -> None:
    grid = Grid((400, 300, 6), np.eye(4))
    image = np.zeros(grid.shape, dtype=np.float32)
    image[101:301, 53:203] = 50.0
    box = body_box(image, grid, "t1")
    assert (box[0].start <= 91, box[0].stop >= 311) == (True, True)
    assert (box[1].start <= 43, box[1].stop >= 213) == (True, True)
    assert box[0].stop - box[0].start <= 200 + 2 * 10 + 2 * 3


def test_a_box_keeps_its_place_in_the_patient() -> None:
    box = (slice(10, 85), slice(20, 70), slice(2, 14))
    within = grid_within(GRID, box)
    assert within.shape == (75, 50, 12)
    np.testing.assert_allclose(within.to_world([0, 0, 0]), [10.0, 20.0, 10.0])
    np.testing.assert_allclose(within.to_world([1, 2, 3]), GRID.to_world([11, 22, 5]))
