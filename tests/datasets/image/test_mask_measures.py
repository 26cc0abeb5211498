"""How far two masks lie on each other, by hand; more is measured in `tests/training/measures/test_metrics.py`."""

import numpy as np
import pytest

from datasets.errors import GeometryError
from datasets.image.mask_measures import dice, surface_distances, to_nearest
from datasets.image.volume import Grid

GRID = Grid((10, 8, 6), np.diag([0.5, 1.0, 4.0, 1.0]))


def _block(first: int, last: int) -> np.ndarray:
    found = np.zeros(GRID.shape, np.uint8)
    found[first:last, 2:5, 1:3] = 1
    return found


def test_a_block_that_moved() -> None:
    assert dice(_block(1, 5), _block(3, 7)) == 0.5
    assert dice(_block(1, 1), _block(1, 1)) == 1.0
    ways = surface_distances(_block(1, 5), _block(3, 7), GRID)
    assert [way.max() for way in ways] == [1.0, 1.0]
    assert [way.min() for way in ways] == [0.0, 0.0]


def test_from_an_empty_mask_everything_is_endlessly_far() -> None:
    there, back = surface_distances(_block(1, 5), _block(1, 1), GRID)
    assert np.isinf(there).all()
    assert back.size == 0
    assert np.isinf(to_nearest(np.zeros((2, 2), bool), np.ones((2, 2), bool), (1.0, 1.0))).all()


def test_masks_of_two_shapes_and_sheared_grids_are_refused() -> None:
    with pytest.raises(GeometryError, match="mask-shapes"):
        dice(_block(1, 5), _block(1, 5)[:5])
    sheared = np.eye(4)
    sheared[0, 1] = 0.5
    with pytest.raises(GeometryError, match="grid-sheared"):
        surface_distances(_block(1, 5), _block(3, 7), Grid(GRID.shape, sheared))
