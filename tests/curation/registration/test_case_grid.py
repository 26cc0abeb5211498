"""The case's grid: T2's own, or an annotated T1's pixels over T2's field of view."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.registration.case_grid import SAME_WITHIN, case_grid, divided
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.case import SeriesRole, TissueType, annotated_role


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


def test_where_t2_is_annotated_its_own_grid_is_taken() -> None:
    """Also where T1 is finer: nobody draws on pixels that the scanner did not make."""
    t2 = grid((384, 384, 40), (0.5, 0.5, 5.0), turn_deg=3.0)
    for t1 in (grid((256, 256, 60), (0.7, 0.7, 3.0)), grid((512, 512, 80), (0.39, 0.39, 2.5))):
        assert case_grid(t1, t2) is t2
        assert case_grid(t1, t2, annotated=annotated_role(TissueType.MYXOID)) is t2


def test_where_t1_is_annotated_its_pixels_fill_the_field_of_view_of_t2() -> None:
    """The spacings of STS_001."""
    t2 = grid((384, 384, 40), (0.5234375, 0.5234375, 5.2), turn_deg=2.0)
    found = case_grid(grid((512, 512, 40), (0.390625, 0.390625, 5.2)), t2, annotated=SeriesRole.T1)
    assert found.shape == (515, 515, 40)
    np.testing.assert_allclose(found.spacing, (0.3903, 0.3903, 5.2), atol=1e-4)
    np.testing.assert_allclose(outer_corners(found), outer_corners(t2), atol=1e-9)
    np.testing.assert_allclose(found.affine[:3, :3] / found.spacing, t2.affine[:3, :3] / t2.spacing, atol=1e-12)


def test_a_coarser_annotated_t1_keeps_its_own_pixels_too() -> None:
    t2 = grid((400, 400, 40), (0.5, 0.5, 5.0))
    assert case_grid(grid((250, 250, 40), (0.8, 0.8, 5.0)), t2, annotated=SeriesRole.T1).shape == (250, 250, 40)
    same = case_grid(grid((384, 384, 40), (0.499, 0.499, 5.01)), t2, annotated=SeriesRole.T1)
    assert same is t2


@settings(deadline=None, max_examples=200)
@given(
    st.tuples(st.integers(60, 300), st.integers(60, 300), st.integers(10, 60)),
    st.tuples(*[st.floats(0.3, 1.5)] * 2, st.floats(2.0, 8.0)),
    st.tuples(*[st.floats(0.3, 1.5)] * 2, st.floats(2.0, 8.0)),
    st.sampled_from(TissueType),
    st.floats(-20.0, 20.0),
)
def test_pictures_have_the_pixels_of_the_annotated_sequence(
    shape: tuple[int, int, int],
    t1_spacing: tuple[float, float, float],
    t2_spacing: tuple[float, float, float],
    tissue_type: TissueType,
    turn_deg: float,
) -> None:
    """Up to what divides the field of view into whole pixels, or the rounding of scanners."""
    grids = {
        SeriesRole.T1: grid((256, 256, 30), t1_spacing),
        SeriesRole.T2: grid(shape, t2_spacing, turn_deg=turn_deg),
    }
    annotated = annotated_role(tissue_type)
    found = case_grid(grids[SeriesRole.T1], grids[SeriesRole.T2], annotated=annotated)
    shown, own = PicturePlane.of(found), PicturePlane.of(grids[annotated])
    whole = [1.0 / size for size in shown.shape] if annotated is SeriesRole.T1 else [0.0, 0.0]
    for pixel, wanted, rounding in zip(shown.pixel_spacing_mm, own.pixel_spacing_mm, whole, strict=True):
        assert pixel == pytest.approx(wanted, rel=max(rounding, SAME_WITHIN if annotated is SeriesRole.T1 else 1e-9))
    np.testing.assert_allclose(outer_corners(found), outer_corners(grids[SeriesRole.T2]), atol=1e-6)


def test_across_slices_the_finer_spacing_of_both_is_taken() -> None:
    t2 = grid((100, 100, 20), (1.0, 1.0, 6.0))
    fine, thick = grid((200, 200, 60), (0.5, 0.5, 2.0)), grid((200, 200, 12), (0.5, 0.5, 8.0))
    assert case_grid(fine, t2, annotated=SeriesRole.T1).shape == (200, 200, 60)
    assert case_grid(thick, t2, annotated=SeriesRole.T1).shape == (200, 200, 20)


def test_axes_are_compared_by_direction_and_not_by_position() -> None:
    """T1 stored with its slices along i: its 0.5 mm lies in the axial plane all the same."""
    t2 = grid((100, 100, 20), (1.0, 1.0, 6.0))
    turned = np.eye(4)
    turned[:3, :3] = np.column_stack([[0, 0, 8.0], [0.5, 0, 0], [0, -0.5, 0]])
    assert case_grid(Grid((12, 200, 200), turned), t2, annotated=SeriesRole.T1).shape == (200, 200, 20)


def test_a_grid_beyond_memory_is_refused() -> None:
    with pytest.raises(RejectedInput) as caught:
        case_grid(grid((9, 9, 9), (0.05, 0.05, 0.2)), grid((384, 384, 40), (0.5, 0.5, 5.0)), annotated=SeriesRole.T1)
    assert caught.value.code == "case-grid-too-large"


def test_dividing_never_loses_the_last_voxel() -> None:
    assert divided(grid((3, 3, 3), (1.0, 1.0, 1.0)), (50.0, 50.0, 50.0)).shape == (1, 1, 1)
