"""Grids over the same field of view with voxels of another size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.errors import RejectedInput
from datasets.image.resample import divided
from datasets.image.volume import Grid


def grid(shape: tuple[int, int, int], spacing: tuple[float, float, float], *, turn_deg: float = 0.0) -> Grid:
    """Axial grid, left-posterior-superior as scanners give it, tilted about the left-right axis."""
    c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.diag([-1.0, -1.0, 1.0]) * spacing
    affine[:3, 3] = (11.0, -7.0, 31.0)
    return Grid(shape, affine)


def outer_corners(one: Grid) -> np.ndarray:
    first, last = np.full(3, -0.5), np.array(one.shape) - 0.5
    return one.to_world([first, last, [first[0], last[1], last[2]]])


def test_voxels_become_about_as_large_as_asked_and_the_field_of_view_stays() -> None:
    """The spacings of STS_001: 384 pixels of 0.5234375 mm are 514.6 of 0.390625 mm."""
    t2 = grid((384, 384, 40), (0.5234375, 0.5234375, 5.2), turn_deg=2.0)
    found = divided(t2, (0.390625, 0.390625, 5.2))
    assert found.shape == (515, 515, 40)
    np.testing.assert_allclose(found.spacing, (0.3903, 0.3903, 5.2), atol=1e-4)
    np.testing.assert_allclose(outer_corners(found), outer_corners(t2), atol=1e-9)
    np.testing.assert_allclose(found.affine[:3, :3] / found.spacing, t2.affine[:3, :3] / t2.spacing, atol=1e-12)


@settings(deadline=None, max_examples=100)
@given(
    st.tuples(st.integers(60, 300), st.integers(60, 300), st.integers(10, 60)),
    st.tuples(*[st.floats(0.3, 1.5)] * 2, st.floats(2.0, 8.0)),
    st.floats(-20.0, 20.0),
)
def test_the_outer_corners_stay_whatever_the_spacing(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], turn_deg: float
) -> None:
    before = grid(shape, (0.8, 0.8, 5.0), turn_deg=turn_deg)
    np.testing.assert_allclose(outer_corners(divided(before, spacing)), outer_corners(before), atol=1e-6)


def test_a_grid_beyond_memory_is_refused() -> None:
    with pytest.raises(RejectedInput) as caught:
        divided(grid((384, 384, 40), (0.5, 0.5, 5.0)), (0.05, 0.05, 0.2))
    assert caught.value.code == "case-grid-too-large"


def test_dividing_never_loses_the_last_voxel() -> None:
    assert divided(grid((3, 3, 3), (1.0, 1.0, 1.0)), (50.0, 50.0, 50.0)).shape == (1, 1, 1)
