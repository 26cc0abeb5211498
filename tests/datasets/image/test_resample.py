"""Volumes and masks on other grids: the right place to a fraction of a voxel, whatever the axes."""

from itertools import permutations

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.image.mask import OEDEMA, TUMOUR, Mask
from datasets.image.resample import Interpolation, resample_mask, resample_volume
from datasets.image.volume import Grid, Volume


def ramp(points_mm: np.ndarray) -> np.ndarray:
    """A picture of the world that linear interpolation reproduces exactly."""
    return points_mm @ np.array([3.0, -2.0, 1.5]) + 40.0


def points(grid: Grid) -> np.ndarray:
    return grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))


def turned(degrees: float) -> np.ndarray:
    """Rotation about the foot-head axis with a shift."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0, 2.0], [s, c, 0, -1.5], [0, 0, 1, 0.7], [0, 0, 0, 1]])


SOURCE = Grid((41, 37, 19), np.array([[-1.1, 0, 0.1, 22], [0, 1.3, 0, -25], [0.1, 0, 2.5, -22], [0, 0, 0, 1.0]]))


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("transform", [None, turned(11.0)])
def test_a_world_ramp_is_met_at_every_voxel(order: tuple[int, ...], transform: np.ndarray | None) -> None:
    axes = np.eye(3)[:, order] * (-1.0, 1.0, 1.0) @ np.diag([0.8, 1.7, 1.2])
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = -axes @ (5, 6, 4)
    target = Grid((11, 13, 9), affine)
    volume = Volume(ramp(points(SOURCE)).astype(np.float32), SOURCE)
    resampled = resample_volume(volume, target, transform=transform)
    there = points(target)
    if transform is not None:
        there = there @ transform[:3, :3].T + transform[:3, 3]
    assert resampled.data.dtype == np.float32
    assert resampled.grid is target
    np.testing.assert_allclose(resampled.data, ramp(there), atol=2e-3)


def test_its_own_grid_gives_the_same_values() -> None:
    data = np.random.default_rng(0).normal(size=SOURCE.shape).astype(np.float32)
    for how in (Interpolation.NEAREST, Interpolation.LINEAR):
        same = resample_volume(Volume(data, SOURCE), SOURCE, interpolation=how)
        np.testing.assert_allclose(same.data, data, atol=1e-5)
    cubic = resample_volume(Volume(data, SOURCE), SOURCE, interpolation=Interpolation.CUBIC)
    np.testing.assert_allclose(cubic.data, data, atol=1e-3)


def test_half_a_voxel_beyond_the_edge_is_still_the_image() -> None:
    """A finer grid with the same outer edge has no empty rim; what lies beyond the edge is outside."""
    coarse = Grid((4, 4, 4), np.diag([2.0, 2.0, 2.0, 1.0]))
    shifted = np.diag([1.0, 1.0, 1.0, 1.0])
    shifted[:3, 3] = -1.5
    fine = Grid((10, 10, 10), shifted)
    resampled = resample_volume(Volume(np.full(coarse.shape, 7.0), coarse), fine, outside=-1.0)
    inside = np.zeros(fine.shape, dtype=bool)
    inside[1:9, 1:9, 1:9] = True
    np.testing.assert_array_equal(resampled.data, np.where(inside, 7.0, -1.0))
    assert np.isnan(resample_volume(Volume(np.ones(coarse.shape), coarse), fine, outside=np.nan).data[0]).all()


def ball(grid: Grid, *, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    return np.linalg.norm(points(grid) - centre, axis=-1) <= radius


def test_a_mask_lands_within_a_tenth_of_a_voxel() -> None:
    """A ball carried through a rotation and a shift has its centre and volume where they belong."""
    source = Grid((80, 80, 40), np.array([[0.5, 0, 0, -20], [0, 0.5, 0, -20], [0, 0, 1.0, -20], [0, 0, 0, 1.0]]))
    target = Grid((64, 70, 50), np.array([[0, -0.7, 0, 24], [-0.7, 0, 0, 23], [0, 0, 0.8, -20], [0, 0, 0, 1.0]]))
    transform = turned(17.0)
    centre = (3.3, -2.1, 1.7)
    mask = Mask(ball(source, centre=centre, radius=11.0).astype(np.uint8), source)
    carried = resample_mask(mask, target, transform=transform)
    expected = np.linalg.inv(transform) @ (*centre, 1.0)
    found = points(target)[carried.foreground].mean(axis=0)
    np.testing.assert_allclose(found, expected[:3], atol=0.05)
    assert carried.volume_ml == pytest.approx(4 / 3 * np.pi * 11.0**3 / 1000, rel=0.01)


def test_labels_keep_their_values_and_names() -> None:
    data = np.zeros((6, 6, 3), dtype=np.uint8)
    data[:3], data[3:] = 2, 1
    grid = Grid((6, 6, 3), np.diag([2.0, 2.0, 2.0, 1.0]))
    mask = Mask(data, grid, {1: TUMOUR, 2: OEDEMA})
    half = np.diag([2.0, 2.0, 2.0, 1.0])
    half[0, 3] = 1.0
    carried = resample_mask(mask, Grid((5, 6, 3), half))
    assert carried.labels == mask.labels
    assert carried.data[:, 0, 0].tolist() == [2, 2, 1, 1, 1]


def test_half_a_voxel_is_inside_and_less_is_not() -> None:
    grid = Grid((2, 1, 1), np.eye(4))
    mask = Mask(np.array([1, 0], dtype=np.uint8).reshape(2, 1, 1), grid)
    for offset, inside in ((0.0, 1), (0.5, 1), (0.51, 0)):
        affine = np.eye(4)
        affine[0, 3] = offset
        assert resample_mask(mask, Grid((1, 1, 1), affine)).data.item() == inside


@pytest.mark.parametrize(
    "transform", [np.eye(3), np.full((4, 4), np.nan), np.diag([1.0, 1.0, 0.0, 1.0]), 2 * np.eye(4)]
)
def test_what_is_no_affine_is_refused(transform: np.ndarray) -> None:
    volume = Volume(np.zeros((2, 2, 2)), Grid((2, 2, 2), np.eye(4)))
    with pytest.raises(RejectedInput) as caught:
        resample_volume(volume, volume.grid, transform=transform)
    assert caught.value.code == "transform-affine"
