"""Grids and volumes: where voxels lie, and when two grids are one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.errors import GeometryError
from datasets.image.volume import GRID_TOLERANCE_MM, Grid, Volume


def _affine(spacing: tuple[float, float, float], angles: tuple[float, float, float], origin: np.ndarray) -> np.ndarray:
    """Rotations about x, y and z in radians, then the spacing, then the origin in millimetres."""
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        one, two = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[one, one] = turn[two, two] = np.cos(angle)
        turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
        rotation = turn @ rotation
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = origin
    return affine


spacings = st.tuples(*[st.floats(0.1, 10.0)] * 3)
angles = st.tuples(*[st.floats(-3.1, 3.1)] * 3)
points = st.lists(st.floats(-300.0, 300.0), min_size=3, max_size=3).map(np.array)


@given(spacing=spacings, turn=angles, origin=points, voxel=points)
def test_a_voxel_goes_to_the_world_and_back(spacing, turn, origin, voxel) -> None:
    grid = Grid((5, 6, 7), _affine(spacing, turn, origin))
    np.testing.assert_allclose(grid.to_voxel(grid.to_world(voxel)), voxel, atol=1e-6)
    np.testing.assert_allclose(grid.spacing, spacing, rtol=1e-9)
    assert grid.is_orthogonal
    assert grid.voxel_volume_mm3 == pytest.approx(np.prod(spacing))


def test_to_world_on_a_hand_made_grid() -> None:
    affine = np.array([[0, -2.0, 0, 10], [3.0, 0, 0, 20], [0, 0, 4.0, 30], [0, 0, 0, 1]])
    grid = Grid((2, 3, 4), affine)
    assert grid.to_world([1, 2, 3]).tolist() == [6.0, 23.0, 42.0]
    assert grid.to_world(np.zeros((5, 2, 3))).shape == (5, 2, 3)
    assert grid.spacing == (3.0, 2.0, 4.0)
    assert grid.describe() == "2 x 3 x 4 voxels of 3 x 2 x 4 mm"


@pytest.mark.parametrize("shape", [(), (1, 2), (1, 2, 3, 4), (0, 2, 3), (-1, 2, 3)])
def test_a_shape_that_is_none_is_refused(shape: tuple) -> None:
    with pytest.raises(GeometryError, match="grid-shape"):
        Grid(shape, np.eye(4))


@pytest.mark.parametrize(
    "affine",
    [np.eye(3), np.zeros((4, 4)), np.full((4, 4), np.nan), np.diag([1, 1, 0, 1]), np.diag([1, 1, np.inf, 1])],
    ids=["3x3", "zeros", "nan", "flat", "infinite"],
)
def test_an_affine_that_is_none_is_refused(affine: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="grid-affine"):
        Grid((2, 2, 2), affine)


def test_a_grid_keeps_its_own_affine() -> None:
    affine = np.eye(4)
    grid = Grid((2, 2, 2), affine)
    affine[0, 0] = 9.0
    assert grid.affine[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 2.0


@pytest.mark.parametrize(
    ("shift", "same"), [(0.0, True), (0.9 * GRID_TOLERANCE_MM, True), (1.5e-3, False), (1.0, False)]
)
def test_grids_match_within_the_tolerance(shift: float, same: bool) -> None:
    moved = np.eye(4)
    moved[2, 3] = shift
    assert Grid((4, 4, 4), np.eye(4)).matches(Grid((4, 4, 4), moved)) is same


def test_a_small_turn_counts_where_it_is_widest() -> None:
    """1e-4 radians move the far corner of a 10-voxel grid by 0.9 micrometres, that of 512 voxels by 51."""
    turned = _affine((1.0, 1.0, 1.0), (0.0, 0.0, 1e-4), np.zeros(3))
    assert Grid((10, 10, 1), np.eye(4)).matches(Grid((10, 10, 1), turned))
    assert not Grid((512, 512, 1), np.eye(4)).matches(Grid((512, 512, 1), turned))


def test_flipped_and_transposed_grids_do_not_match() -> None:
    grid = Grid((4, 4, 4), np.eye(4))
    flipped = np.diag([-1.0, 1, 1, 1])
    flipped[0, 3] = 3.0
    assert not grid.matches(Grid((4, 4, 4), flipped))
    assert not grid.matches(Grid((4, 4, 4), np.eye(4)[[1, 0, 2, 3]]))
    assert not grid.matches(Grid((4, 4, 5), np.eye(4)))


def test_a_mismatch_says_both_grids_and_what_to_do() -> None:
    with pytest.raises(GeometryError) as refusal:
        Grid((2, 2, 2), np.eye(4)).require_match(Grid((2, 2, 3), 2 * np.eye(4)), what="T1 and T2")
    assert refusal.value.code == "grid-mismatch"
    for text in ("T1 and T2", "2 x 2 x 2 voxels of 1 x 1 x 1 mm", "2 x 2 x 3 voxels of 2 x 2 x 2 mm", "Resample"):
        assert text in str(refusal.value)


def test_shear_is_seen() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.01
    assert not Grid((2, 2, 2), sheared).is_orthogonal
    sheared[0, 1] = 1e-4
    assert Grid((2, 2, 2), sheared).is_orthogonal


def test_a_volume_has_its_grids_shape() -> None:
    with pytest.raises(GeometryError, match="volume-shape"):
        Volume(np.zeros((2, 2, 3)), Grid((2, 3, 2), np.eye(4)))
