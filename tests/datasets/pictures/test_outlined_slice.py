"""Outlines on a slice: where they lie, solid or dashed, cut to what the masks hold."""

import io

import numpy as np
import pytest
from PIL import Image

from datasets.image.volume import Grid, Volume
from datasets.pictures.outlined_slice import Outline, OutlinedSlice, fullest_slice, outlined_slice
from datasets.pictures.picture_plane import PicturePlane

GRID = Grid((80, 60, 5), np.diag([-1.0, -1.0, 4.0, 1.0]))
IMAGE = Volume(np.random.default_rng(0).normal(100, 5, GRID.shape).astype(np.float32), GRID)
RED, BLUE = (255, 0, 0), (0, 0, 255)


def _inside(first: int, last: int, slices: slice = slice(1, 4)) -> np.ndarray:
    found = np.zeros(GRID.shape, bool)
    found[first:last, first:last, slices] = True
    return found


def _pixels(picture: OutlinedSlice) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(picture.png)).convert("RGB"))


def _count(picture: OutlinedSlice, colour: tuple[int, int, int]) -> int:
    return int((_pixels(picture) == colour).all(axis=-1).sum())


def test_a_dashed_outline_has_about_half_the_pixels_of_a_solid_one() -> None:
    inside = _inside(20, 40)
    solid = outlined_slice(IMAGE, "MR", [Outline(inside, RED)], index=2)
    dashed = outlined_slice(IMAGE, "MR", [Outline(inside, RED, is_dashed=True)], index=2)
    assert 0.4 < _count(dashed, RED) / _count(solid, RED) < 0.6


def test_where_two_outlines_lie_on_each_other_both_are_seen() -> None:
    inside = _inside(20, 40)
    both = outlined_slice(IMAGE, "MR", [Outline(inside, RED), Outline(inside, BLUE, is_dashed=True)], index=2)
    assert _count(both, RED) > 100
    assert _count(both, BLUE) > 100


def test_a_picture_is_cut_to_the_masks_with_a_margin_and_keeps_millimetres() -> None:
    outline = [Outline(_inside(20, 30), RED)]
    assert _pixels(outlined_slice(IMAGE, "MR", outline, index=2)).shape == (320, 320, 3)
    flat = Grid(GRID.shape, np.diag([-1.0, -2.0, 4.0, 1.0]))
    high = outlined_slice(Volume(IMAGE.data, flat), "MR", outline, index=2)
    assert _pixels(high).shape[0] > 320


def test_without_outlines_and_where_none_is_the_slice_is_shown_whole() -> None:
    for outlines in ([], [Outline(_inside(20, 30), RED)]):
        assert _pixels(outlined_slice(IMAGE, "MR", outlines, index=0)).shape == (240, 320, 3)


def test_the_same_picture_is_the_same_bytes_and_an_address_of_its_own() -> None:
    pictures = [outlined_slice(IMAGE, "MR", [Outline(_inside(20, 40), RED)], index=2) for _ in "12"]
    assert pictures[0] == pictures[1]
    assert pictures[0].data_uri.startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize(("inside", "index"), [(_inside(3, 9), 1), (_inside(3, 9, slice(4, 5)), 4), (_inside(3, 3), 0)])
def test_the_fullest_slice(inside: np.ndarray, index: int) -> None:
    assert fullest_slice(inside, PicturePlane.of(GRID)) == index
