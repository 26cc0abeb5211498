"""The checkerboard shows both images, each in its own tiles, of the slices it says."""

import io

import numpy as np
import pytest
from PIL import Image

from curation.slices.checkerboard import checkerboard, spread
from datasets.errors import GeometryError
from datasets.image.volume import Grid, Volume

GRID = Grid((64, 48, 9), np.diag([-1.0, -1.0, 4.0, 1.0]))


def shown(first: Volume, second: Volume) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(checkerboard(first, second))))


def test_tiles_alternate_between_the_images() -> None:
    """Ramps that run against each other, so that every pixel says which image it is from."""
    ramp = np.broadcast_to(np.arange(64.0)[:, np.newaxis, np.newaxis], GRID.shape)
    picture = shown(Volume(ramp, GRID), Volume(-ramp, GRID))
    assert picture.shape == (48, 3 * 64 + 2 * 4)
    for start in (0, 68, 136):
        board = picture[:, start : start + 64].astype(int)
        for row in range(48):
            for tile in range(8):
                rising = np.diff(board[row, tile * 8 : tile * 8 + 8])
                inner = rising[1:-1]
                assert (inner > 0).all() if (row // 8 + tile) % 2 == 0 else (inner < 0).all()


def test_the_slices_are_the_middle_and_two_around_it() -> None:
    steps = np.broadcast_to(np.arange(9.0), GRID.shape)
    picture = shown(Volume(steps, GRID), Volume(steps, GRID))
    low, high = np.percentile(steps, [0.5, 99.5])
    expected = [round(255 * (index - low) / (high - low)) for index in (2, 4, 6)]
    assert [int(picture[0, start]) for start in (0, 68, 136)] == expected
    assert spread(9, 3) == [2, 4, 6]
    assert spread(40, 3) == [10, 20, 30]
    assert spread(1, 3) == [0]


def test_the_same_images_give_the_same_bytes_and_others_do_not() -> None:
    noise = np.random.default_rng(3)
    first, second = (Volume(noise.normal(size=GRID.shape), GRID) for _ in range(2))
    assert checkerboard(first, second) == checkerboard(first, second)
    assert checkerboard(first, second) != checkerboard(second, first)


def test_two_grids_are_refused() -> None:
    other = Grid(GRID.shape, np.eye(4))
    with pytest.raises(GeometryError):
        checkerboard(Volume(np.zeros(GRID.shape), GRID), Volume(np.zeros(GRID.shape), other))
