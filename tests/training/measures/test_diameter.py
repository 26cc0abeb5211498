"""The largest diameter in a slice, against values worked out by hand and against every pair of voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from datasets.image.volume import Grid
from tests.training.support.synthetic import lps_grid
from training.measures.diameter import transverse_diameter_mm

SHAPE = (5, 6, 4)


def every_pair(inside: np.ndarray, grid: Grid, slice_axis: int) -> float:
    """The definition itself, without any short cut."""
    voxels = np.argwhere(inside)
    by_slice = [voxels[voxels[:, slice_axis] == index] for index in range(inside.shape[slice_axis])]
    return max((pdist(grid.to_world(some)).max() for some in by_slice if len(some) > 1), default=0.0)


@settings(max_examples=80, deadline=None)
@given(inside=arrays(np.bool_, SHAPE), slice_axis=st.integers(0, 2))
def test_no_two_voxels_of_a_slice_lie_farther_apart(inside: np.ndarray, slice_axis: int) -> None:
    grid = lps_grid(SHAPE, (0.7, 1.3, 3.0))
    expected = every_pair(inside, grid, slice_axis)
    assert transverse_diameter_mm(inside, grid, slice_axis) == pytest.approx(expected)


def test_slices_are_not_joined() -> None:
    """Two voxels in different slices have no diameter; a diagonal within one has."""
    grid = lps_grid(SHAPE, (1.0, 2.0, 5.0))
    inside = np.zeros(SHAPE, dtype=bool)
    inside[0, 0, 0] = inside[4, 5, 3] = True
    assert transverse_diameter_mm(inside, grid, 2) == 0.0
    inside[3, 2, 0] = True
    assert transverse_diameter_mm(inside, grid, 2) == pytest.approx(5.0)  # 3 voxels of 1 mm, 2 of 2 mm


def test_directions_of_an_oblique_grid_count() -> None:
    affine = np.eye(4)
    affine[:3, 0] = (0.6, 0.0, 0.8)  # sheared against k: millimetres along i stay 1
    grid = Grid((4, 4, 4), affine)
    inside = np.zeros(grid.shape, dtype=bool)
    inside[0, 0, 1] = inside[3, 0, 1] = True
    assert transverse_diameter_mm(inside, grid, 2) == pytest.approx(3.0)


def test_an_empty_mask_has_none() -> None:
    assert transverse_diameter_mm(np.zeros(SHAPE), lps_grid(SHAPE, (1.0, 1.0, 1.0)), 2) == 0.0
