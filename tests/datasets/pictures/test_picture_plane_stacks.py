"""Slices are turned as they are shown, whatever the grid's order."""

import itertools

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from tests.training.support.synthetic import lps_grid, reordered

ORDERS = list(itertools.product(itertools.permutations(range(3)), itertools.product((False, True), repeat=3)))


@pytest.mark.parametrize(("order", "flips"), ORDERS)
def test_same_pictures_from_every_axis_order(order, flips) -> None:
    volume = Volume(np.arange(5 * 6 * 7).reshape(5, 6, 7), lps_grid((5, 6, 7), (1.0, 1.5, 4.0)))
    other = reordered(volume, order=order, flips=flips)
    axis = order.index(2)
    expected = PicturePlane.along(volume.grid, 2).stack(volume.data)
    found = PicturePlane.along(other.grid, axis).stack(other.data)
    assert np.array_equal(found[::-1] if flips[axis] else found, expected)


def test_axial_picture_shows_anterior_above_and_right_on_the_left() -> None:
    pictures = PicturePlane.along(lps_grid((5, 6, 7), (1.0, 1.5, 4.0)), 2)
    assert (pictures.row_axis, pictures.column_axis) == (1, 0)
    assert not pictures.rows_reversed
    assert not pictures.columns_reversed
    assert pictures.shape == (6, 5)
    assert pictures.pixel_spacing_mm == (1.5, 1.0)


@pytest.mark.parametrize(("order", "flips"), ORDERS[::5])
def test_pixels_point_at_the_voxel_of_the_picture(order, flips) -> None:
    volume = reordered(
        Volume(np.arange(5 * 6 * 7).reshape(5, 6, 7), lps_grid((5, 6, 7), (1.0, 1.5, 4.0))), order=order, flips=flips
    )
    pictures = PicturePlane.along(volume.grid, 1)
    voxel = (1, 2, 3)
    index, row, column = np.rint(pictures.world_to_index(volume.grid.to_world(voxel))).astype(int)
    assert pictures.stack(volume.data)[index, row, column] == volume.data[voxel]


def test_stack_is_a_view_that_can_be_written() -> None:
    grid = lps_grid((5, 6, 7), (1.0, 1.0, 1.0))
    data = np.zeros(grid.shape)
    PicturePlane.along(grid, 0).stack(data)[3] = 1.0
    assert data[3].all()
    assert data.sum() == 42


def test_indices_are_checked_and_sorted() -> None:
    pictures = PicturePlane.along(lps_grid((5, 6, 7), (1.0, 1.0, 1.0)), 2)
    assert pictures.indices((3, 1, 3)) == (1, 3)
    assert pictures.indices(None) == tuple(range(7))
    with pytest.raises(RejectedInput, match="0 to 6"):
        pictures.indices((7,))
    with pytest.raises(RejectedInput, match="slice axis"):
        PicturePlane.along(pictures.grid, 3)
