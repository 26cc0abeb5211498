"""Axes turned to right, anterior, superior and back: the same voxels at the same places, in all 48 orders."""

from itertools import permutations, product

import numpy as np
import pytest

from datasets.image.orientation import as_ras, axis_in_ras, from_ras, is_reversed_in_ras
from datasets.image.volume import Grid, Volume

ORDERS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]
SHAPE = (4, 5, 6)
SPACING = (0.7, 1.1, 3.0)


def turned_volume(order: tuple[int, ...], signs: tuple[int, ...], *, tilt: float = 0.0) -> Volume:
    """Different numbers everywhere; array axis `n` runs along world axis `order[n]`, or against it."""
    affine = np.zeros((4, 4))
    affine[list(order), range(3)] = np.array(SPACING) * signs
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    affine = turn @ affine
    affine[:, 3] = (-31.0, 12.5, 80.0, 1.0)
    return Volume(np.random.default_rng(0).permutation(np.arange(120)).reshape(SHAPE), Grid(SHAPE, affine))


@pytest.mark.parametrize(("order", "signs"), ORDERS)
@pytest.mark.parametrize("tilt", [0.0, 0.6])
def test_a_place_keeps_its_voxel_and_the_way_back_is_exact(
    order: tuple[int, ...], signs: tuple[int, ...], tilt: float
) -> None:
    volume = turned_volume(order, signs, tilt=tilt)
    ras = as_ras(volume)
    voxels = np.indices(SHAPE).reshape(3, -1).T
    there = np.rint(ras.grid.to_voxel(volume.grid.to_world(voxels))).astype(int)
    np.testing.assert_allclose(ras.grid.to_world(there), volume.grid.to_world(voxels), atol=1e-9)
    np.testing.assert_array_equal(ras.data[tuple(there.T)], volume.data[tuple(voxels.T)])
    directions = ras.grid.affine[:3, :3] / np.array(ras.grid.spacing)
    assert (np.diag(directions) > 0.8).all(), "i, j, k run closest to right, anterior, superior"
    np.testing.assert_array_equal(from_ras(ras.data, volume.grid), volume.data)
    assert from_ras(ras.data, volume.grid).shape == SHAPE


@pytest.mark.parametrize(("order", "signs"), ORDERS)
def test_an_axis_is_found_again_with_its_direction(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    volume = turned_volume(order, signs)
    ras = as_ras(volume)
    for axis in range(3):
        there, count = axis_in_ras(axis, volume.grid), SHAPE[axis]
        for index in (0, count - 1, 1):
            turned = count - 1 - index if is_reversed_in_ras(axis, volume.grid) else index
            assert set(np.take(ras.data, turned, there).flat) == set(np.take(volume.data, index, axis).flat)


def test_nothing_is_copied() -> None:
    volume = turned_volume((2, 0, 1), (-1, 1, -1))
    assert np.shares_memory(as_ras(volume).data, volume.data)
