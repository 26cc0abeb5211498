"""The case's grid: T2's own, or T1's finer voxels over T2's field of view."""

import numpy as np
import pytest

from curation.case_grid import case_grid, divided
from datasets.errors import RejectedInput
from datasets.volume import Grid


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


def test_t2_stays_on_its_own_grid_when_it_is_as_fine() -> None:
    t2 = grid((384, 384, 40), (0.5, 0.5, 5.0), turn_deg=3.0)
    assert case_grid(grid((256, 256, 60), (0.7, 0.7, 3.0)), t2) is t2
    assert case_grid(grid((384, 384, 40), (0.499, 0.499, 5.0)), t2) is t2


def test_finer_t1_voxels_fill_the_field_of_view_of_t2() -> None:
    """The spacings of STS_001."""
    t2 = grid((384, 384, 40), (0.5234375, 0.5234375, 5.2), turn_deg=2.0)
    found = case_grid(grid((512, 512, 40), (0.390625, 0.390625, 5.2)), t2)
    assert found.shape == (515, 515, 40)
    np.testing.assert_allclose(found.spacing, (0.3903, 0.3903, 5.2), atol=1e-4)
    np.testing.assert_allclose(outer_corners(found), outer_corners(t2), atol=1e-9)
    np.testing.assert_allclose(found.affine[:3, :3] / found.spacing, t2.affine[:3, :3] / t2.spacing, atol=1e-12)


def test_across_slices_the_finer_spacing_of_both_is_taken() -> None:
    t2 = grid((100, 100, 20), (1.0, 1.0, 6.0))
    assert case_grid(grid((200, 200, 60), (0.5, 0.5, 2.0)), t2).shape == (200, 200, 60)
    assert case_grid(grid((200, 200, 12), (0.5, 0.5, 8.0)), t2).shape == (200, 200, 20)


def test_axes_are_compared_by_direction_and_not_by_position() -> None:
    """T1 stored with its slices along i: its 0.5 mm lies in the axial plane all the same."""
    t2 = grid((100, 100, 20), (1.0, 1.0, 6.0))
    turned = np.eye(4)
    turned[:3, :3] = np.column_stack([[0, 0, 8.0], [0.5, 0, 0], [0, -0.5, 0]])
    assert case_grid(Grid((12, 200, 200), turned), t2).shape == (200, 200, 20)


def test_a_grid_beyond_memory_is_refused() -> None:
    with pytest.raises(RejectedInput) as caught:
        case_grid(grid((2000, 2000, 500), (0.05, 0.05, 0.2)), grid((384, 384, 40), (0.5, 0.5, 5.0)))
    assert caught.value.code == "case-grid-too-large"


def test_dividing_never_loses_the_last_voxel() -> None:
    assert divided(grid((3, 3, 3), (1.0, 1.0, 1.0)), (50.0, 50.0, 50.0)).shape == (1, 1, 1)
