"""Simulated points lie in the tumour, in InteractiveNet's order and depth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.image.volume import Grid
from tests.training.support.synthetic import lps_grid
from training.prompts.prompt import Prompts
from training.prompts.simulated_points import points_mm, six_points

MASKS = arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9).flatmap(
    lambda shape: arrays.arrays(bool, shape)
)
SPACINGS = st.sampled_from([(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (5.0, 0.7, 0.7), (1.0, 1.0, 2.9)])


def block(shape: tuple[int, int, int], first: tuple[int, int, int], last: tuple[int, int, int]) -> Inside:
    """True from `first` to `last`, both included."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(low, high + 1) for low, high in zip(first, last, strict=True))] = True
    return mask


def coordinates(mask: Inside, spacing: tuple[float, float, float], seed: int = 0) -> list[int]:
    """The coordinate of each point along the axis that it belongs to."""
    points = six_points(mask, spacing, np.random.default_rng(seed))
    return [int(point[axis]) for point, axis in zip(points, (2, 2, 1, 1, 0, 0), strict=True)]


@given(mask=MASKS, spacing=SPACINGS, seed=st.integers(0, 999))
def test_points_lie_in_the_tumour_near_its_ends(mask: Inside, spacing: tuple[float, float, float], seed: int) -> None:
    random = np.random.default_rng(seed)
    if not mask.any():
        with pytest.raises(RejectedInput) as caught:
            six_points(mask, spacing, random)
        assert caught.value.code == "points-empty-mask"
        return
    points = six_points(mask, spacing, random)
    assert points.shape == (6, 3)
    assert mask[tuple(points.T)].all()
    np.testing.assert_array_equal(points, six_points(mask, spacing, np.random.default_rng(seed)))
    for number, axis in enumerate((2, 2, 1, 1, 0, 0)):
        ends = np.argwhere(mask)[:, axis]
        depth = points[number, axis] - ends.min() if number % 2 == 0 else ends.max() - points[number, axis]
        assert 0 <= depth <= (1 if spacing[axis] == 5.0 else 5)


def test_points_of_a_block_are_five_voxels_inside_in_the_documented_order() -> None:
    mask = block((60, 60, 60), (10, 12, 14), (40, 42, 44))
    assert coordinates(mask, (1.0, 1.0, 1.0)) == [19, 39, 17, 37, 15, 35]


def test_anisotropic_images_move_by_one_slice() -> None:
    mask = block((60, 60, 60), (10, 12, 14), (40, 42, 44))
    assert coordinates(mask, (0.7, 0.7, 2.0)) == [19, 39, 17, 37, 15, 35]
    assert coordinates(mask, (0.7, 0.7, 2.1)) == [15, 43, 17, 37, 15, 35]
    assert coordinates(mask, (4.0, 0.7, 0.7)) == [19, 39, 17, 37, 11, 39]


def test_point_walks_back_to_the_nearest_voxel_inside() -> None:
    """A shell three voxels thick: five voxels in is a hole, three in still is."""
    mask = block((30, 30, 30), (5, 5, 5), (24, 24, 24)) & ~block((30, 30, 30), (8, 8, 8), (21, 21, 21))
    for seed in range(30):
        points = six_points(mask, (1.0, 1.0, 1.0), np.random.default_rng(seed))
        for number, axis in enumerate((2, 2, 1, 1, 0, 0)):
            others = np.delete(points[number], axis)
            over_the_hole = ((others >= 8) & (others <= 21)).all()
            depth = points[number, axis] - 5 if number % 2 == 0 else 24 - points[number, axis]
            assert depth == (2 if over_the_hole else 5)


@pytest.mark.parametrize("first", [0, 7])
def test_thin_tumour_at_the_border_keeps_its_points(first: int) -> None:
    """Five voxels inward lie beyond the array, on its other side."""
    mask = block((9, 9, 9), (first, 4, 4), (first + 1, 4, 4))
    points = six_points(mask, (1.0, 1.0, 1.0), np.random.default_rng(0))
    assert mask[tuple(points.T)].all()
    assert [points[4, 0], points[5, 0]] == [first + 1, first]


def test_one_voxel_gives_that_voxel() -> None:
    mask = block((3, 4, 5), (1, 2, 3), (1, 2, 3))
    random = np.random.default_rng(0)
    expected = np.array([[1, 2, 3]])
    np.testing.assert_array_equal(six_points(mask, (1.0, 1.0, 1.0), random), expected.repeat(6, axis=0))


@pytest.mark.slow
def test_all_voxels_of_an_end_are_drawn_alike() -> None:
    mask = block((20, 20, 20), (5, 5, 5), (8, 14, 14))
    random = np.random.default_rng(1)
    drawn = np.array([six_points(mask, (1.0, 1.0, 1.0), random)[0, :2] for _ in range(4000)])
    counts = np.histogramdd(drawn, bins=[np.arange(5, 10), np.arange(5, 16)])[0]
    statistic = np.square(counts - 100).sum() / 100
    assert statistic < 39 + 5 * np.sqrt(2 * 39)


def test_flat_arrays_are_refused() -> None:
    with pytest.raises(RejectedInput) as caught:
        six_points(np.ones((3, 3), bool), (1.0, 1.0, 1.0), np.random.default_rng(3))
    assert caught.value.code == "points-empty-mask"


@pytest.mark.parametrize(
    "grid",
    [
        lps_grid((9, 9, 9), (0.5, 0.7, 5.0)),
        Grid((9, 9, 9), np.array([[0, 0, 2, 7], [3, 0, 0, -5], [0, 4, 0, 1], [0, 0, 0, 1.0]])),
    ],
)
def test_millimetres_lead_back_to_the_voxels(grid: Grid) -> None:
    mask = block((9, 9, 9), (2, 3, 4), (6, 7, 7))
    voxels = six_points(mask, grid.spacing, np.random.default_rng(4))
    prompts = Prompts(extreme_points=points_mm(voxels, grid))
    assert all(isinstance(at, float) for point in prompts.extreme_points for at in point)
    np.testing.assert_allclose(grid.to_voxel(prompts.extreme_points), voxels, atol=1e-9)
