"""Regions and canvases: a voxel lands where it is said to, nothing is lost on the way there and back."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from training.inputs.canvas import Region, resized


def smooth(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    found: np.ndarray = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 4.0)
    return (found / np.abs(found).max()).astype(np.float32)


@pytest.mark.parametrize("seed", range(40))
def test_a_bright_voxel_is_brightest_where_a_click_on_it_lands(seed: int) -> None:
    random = np.random.default_rng(seed)
    axes = int(random.integers(2, 4))
    shape = tuple(int(size) for size in random.integers(21, 40, axes))
    size = tuple(int(random.integers(9, length + 1)) for length in shape)
    first = tuple(int(random.integers(length - own + 1)) for length, own in zip(shape, size, strict=True))
    canvas = tuple(int(each) for each in random.integers(5, 50, axes))
    region = Region(first, size)
    voxel = np.array([int(random.integers(at, at + own)) for at, own in zip(first, size, strict=True)])
    image = np.zeros(shape)
    image[tuple(voxel)] = 1.0
    found = resized(image[region.slices], canvas)
    # A voxel at the border is repeated beyond it: of several brightest ones the nearest counts.
    brightest = np.argwhere(found >= found.max() * (1 - 1e-6))
    said = np.clip(region.on_canvas(voxel, canvas)[0], 0, np.array(canvas) - 1)
    away = np.abs(brightest - said).max(axis=1).min()
    scale = np.array(size) / canvas
    inner = ((voxel - first >= 2 * scale) & (np.array(first) + size - 1 - voxel >= 2 * scale)).all()
    # Means at the border are of fewer voxels, which draws the brightest one towards it.
    assert away <= (0.5 if inner else 1.0) + 1e-6
    assert np.ptp(brightest, axis=0).max() <= np.ceil(max(np.array(canvas) / size)), "one bright spot"


@pytest.mark.parametrize(("shape", "canvas"), [((41, 37, 19), (24, 30, 13)), ((63, 50), (32, 32))])
def test_a_smooth_image_comes_back_from_a_coarser_canvas(shape: tuple[int, ...], canvas: tuple[int, ...]) -> None:
    image = smooth(shape)
    error = np.abs(resized(resized(image, canvas), shape) - image)
    inner = tuple(slice(3, -3) for _ in shape)
    assert error[inner].max() < 0.15
    assert error.mean() < 0.02


def test_a_smooth_image_comes_back_from_a_finer_canvas() -> None:
    image = smooth((21, 33, 15))
    assert np.abs(resized(resized(image, (64, 64, 48)), image.shape) - image).max() < 0.05


def test_a_ramp_keeps_its_place() -> None:
    ramp = np.broadcast_to(np.arange(60.0)[:, None, None], (60, 5, 5))
    for length in (20, 37, 60, 113):
        wanted = (np.arange(length) + 0.5) * 60 / length - 0.5
        found = resized(ramp, (length, 5, 5))[:, 2, 2]
        inner = slice(length // 10 + 1, -length // 10 - 1)
        np.testing.assert_allclose(found[inner], wanted[inner], atol=0.1)


@pytest.mark.parametrize("canvas", [(16, 16, 16), (24, 20, 17), (33, 48, 40), (64, 64, 64), (7, 64, 33)])
def test_a_mask_keeps_its_volume(canvas: tuple[int, int, int]) -> None:
    shape = (48, 44, 33)
    away = (np.indices(shape).reshape(3, -1).T - np.array([22.3, 21.0, 16.4])) / (14, 12, 9)
    mask = (np.linalg.norm(away, axis=1) < 1).reshape(shape)
    share = np.prod(shape) / np.prod(canvas)
    found = resized(mask, canvas)
    assert found.sum() * share == pytest.approx(mask.sum(), rel=0.02)
    assert 0.0 <= found.min() <= found.max() <= 1.0 + 1e-6


def test_a_region_cuts_what_it_names() -> None:
    assert np.array_equal(np.arange(20)[Region((3,), (5,)).slices], [3, 4, 5, 6, 7])
    assert Region.whole((4, 5)) == Region((0, 0), (4, 5))


def test_a_box_grows_by_its_share_or_the_least_and_stops_at_the_border() -> None:
    shape = (100, 100, 100)
    assert Region.around([40, 40, 40], [59, 44, 40], shape=shape, relaxed=0.1, least=(0, 3, 0)) == Region(
        (38, 37, 39), (24, 11, 3)
    )
    assert Region.around([0, 95, 10.4], [2, 99, 10.6], shape=shape, least=6) == Region((0, 89, 4), (9, 11, 14))
    assert Region.around([-50, -50, 140], [-40, -45, 150], shape=shape) == Region((0, 0, 99), (1, 1, 1))


def test_the_ends_of_a_region_are_the_ends_of_its_canvas() -> None:
    region = Region((7, 2, 30), (11, 5, 20))
    edges = np.array([np.array(region.first) - 0.5, np.array(region.first) + region.size - 0.5])
    np.testing.assert_allclose(region.on_canvas(edges, (8, 9, 64)), [[-0.5] * 3, [7.5, 8.5, 63.5]])
