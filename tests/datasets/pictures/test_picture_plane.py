"""The chain percent, pixel, voxel, millimetre and its inverse, and pictures shown the radiological way."""

import json
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane


def rotation(angles_deg: tuple[float, float, float]) -> np.ndarray:
    """Rotation about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(angles_deg)):
        one, other = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


small_sizes = st.integers(1, 9)


@st.composite
def grids(draw: st.DrawFn, sizes: st.SearchStrategy[int] = small_sizes) -> Grid:
    """Odd and even sizes; axes in any order, flipped, oblique; any spacing and origin."""
    shape = tuple(draw(sizes) for _ in range(3))
    order = draw(st.permutations([0, 1, 2]))
    signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    spacing = draw(st.tuples(*[st.floats(0.2, 8.0)] * 3))
    angles = draw(st.tuples(*[st.floats(-40.0, 40.0)] * 3))
    axes = np.eye(3)[:, order] * signs
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) @ axes * spacing
    affine[:3, 3] = draw(st.tuples(*[st.floats(-300.0, 300.0)] * 3))
    return Grid(shape, affine)


planes = st.builds(
    lambda grid, anatomical: PicturePlane.of(grid, anatomical=anatomical), grids(), st.sampled_from(AnatomicalPlane)
)
percents = st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 100.0))


def _under(plane: PicturePlane, percent: tuple[float, float], *, index: int) -> tuple[int, ...]:
    """The voxel whose centre is nearest to a point of slice `index`."""
    return tuple(int(number) for number in np.rint(plane.percent_to_voxel(percent, index=index)))


@settings(deadline=None, max_examples=200)
@given(planes, percents, st.floats(0.0, 1.0))
def test_percent_to_world_and_back(plane: PicturePlane, percent: tuple[float, float], along: float) -> None:
    index = along * (plane.slice_count - 1)
    voxel = plane.grid.to_voxel(plane.percent_to_world(percent, index=index))
    np.testing.assert_allclose(plane.voxel_to_percent(voxel), percent, atol=1e-6)
    np.testing.assert_allclose(voxel[plane.slice_axis], index, atol=1e-6)


odd_sizes = st.integers(0, 300).map(lambda half: 2 * half + 1)


@pytest.mark.parametrize("anatomical", AnatomicalPlane)
@settings(deadline=None, max_examples=150)
@given(grid=grids(sizes=odd_sizes), percent=percents, along=st.floats(0.0, 1.0))
def test_every_link_of_the_chain_and_its_inverse(
    anatomical: AnatomicalPlane, grid: Grid, percent: tuple[float, float], along: float
) -> None:
    """Percent, pixel, voxel, millimetre and back, link by link, for odd sizes, oblique and flipped grids, pixels that
    are not square; and the same place by another way, from the picture's corner along its edges."""
    plane = PicturePlane.of(grid, anatomical=anatomical)
    index = along * (plane.slice_count - 1)
    pixel = plane.percent_to_pixel(percent)
    voxel = plane.pixel_to_voxel(pixel, index=index)
    world = grid.to_world(voxel)
    np.testing.assert_allclose(pixel, np.array(percent) * (plane.width, plane.height) / 100, atol=1e-9)
    np.testing.assert_allclose(plane.percent_to_world(percent, index=index), world, atol=1e-6)
    assert (voxel >= -0.5 - 1e-9).all()
    assert (voxel <= np.array(grid.shape) - 0.5 + 1e-9).all()
    across, down = (np.array(grid.affine[:3, axis]) for axis in (plane.column_axis, plane.row_axis))
    across *= -plane.width if plane.columns_reversed else plane.width
    down *= -plane.height if plane.rows_reversed else plane.height
    corner = plane.percent_to_world((0.0, 0.0), index=index)
    np.testing.assert_allclose(corner + across * percent[0] / 100 + down * percent[1] / 100, world, atol=1e-6)

    back_voxel = grid.to_voxel(world)
    back_pixel = plane.voxel_to_pixel(back_voxel)
    np.testing.assert_allclose(back_voxel, voxel, atol=1e-6)
    np.testing.assert_allclose(back_voxel[plane.slice_axis], index, atol=1e-6)
    np.testing.assert_allclose(back_pixel, pixel, atol=1e-6)
    np.testing.assert_allclose(plane.pixel_to_percent(back_pixel), percent, atol=1e-4)
    np.testing.assert_allclose(plane.voxel_to_percent(back_voxel), percent, atol=1e-4)
    np.testing.assert_allclose(plane.world_to_index(world), (index, pixel[1] - 0.5, pixel[0] - 0.5), atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(grids(sizes=odd_sizes), st.sampled_from(AnatomicalPlane))
def test_the_middle_of_an_odd_picture_is_its_middle_pixel(grid: Grid, anatomical: AnatomicalPlane) -> None:
    plane = PicturePlane.of(grid, anatomical=anatomical)
    middle = tuple((size - 1) // 2 for size in grid.shape)
    assert _under(plane, (50.0, 50.0), index=middle[plane.slice_axis]) == middle
    voxel = grid.to_voxel(grid.to_world(middle))
    np.testing.assert_allclose(plane.voxel_to_percent(voxel), (50.0, 50.0), atol=1e-4)
    assert voxel[plane.slice_axis] == pytest.approx(middle[plane.slice_axis], abs=1e-6)


@settings(deadline=None, max_examples=200)
@given(planes, st.tuples(*[st.floats(-3.0, 12.0)] * 3))
def test_voxel_to_percent_and_back(plane: PicturePlane, voxel: tuple[float, float, float]) -> None:
    percent = plane.voxel_to_percent(voxel)
    back = plane.percent_to_voxel(percent, index=voxel[plane.slice_axis])
    np.testing.assert_allclose(back, voxel, atol=1e-9)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.data(), planes)
def test_the_point_clicked_is_the_voxel_shown(data: st.DataObject, plane: PicturePlane) -> None:
    """The picture and the coordinates agree: the voxel under any point of a pixel holds the grey value shown there."""
    numbered = np.arange(np.prod(plane.grid.shape)).reshape(plane.grid.shape)
    index = data.draw(st.integers(0, plane.slice_count - 1))
    column = data.draw(st.integers(0, plane.width - 1))
    row = data.draw(st.integers(0, plane.height - 1))
    inside = st.floats(0.001, 0.999)
    pixel = (column + data.draw(inside), row + data.draw(inside))
    percent = tuple(float(value) for value in plane.pixel_to_percent(pixel))
    voxel = _under(plane, percent, index=index)
    assert numbered[voxel] == plane.to_picture(numbered, index)[row, column]
    np.testing.assert_allclose(plane.voxel_to_pixel(voxel), (column + 0.5, row + 0.5))


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.data(), planes)
def test_a_mask_painted_in_the_picture_comes_back_in_its_voxels(data: st.DataObject, plane: PicturePlane) -> None:
    index = data.draw(st.integers(0, plane.slice_count - 1))
    picture = data.draw(arrays(np.uint8, (plane.height, plane.width), elements=st.integers(0, 3)))
    volume = np.zeros(plane.grid.shape, dtype=np.uint8)
    plane.from_picture(picture, into=volume, index=index)
    expected = {
        _under(plane, (100 * (column + 0.5) / plane.width, 100 * (row + 0.5) / plane.height), index=index): value
        for (row, column), value in np.ndenumerate(picture)
        if value
    }
    assert {tuple(int(n) for n in voxel): volume[tuple(voxel)] for voxel in np.argwhere(volume)} == expected
    np.testing.assert_array_equal(plane.to_picture(volume, index), picture)


@settings(deadline=None, max_examples=100)
@given(planes)
def test_pictures_are_shown_the_radiological_way(plane: PicturePlane) -> None:
    """From left to right and from top to bottom the world coordinate of the plane falls."""
    across, down, normal = {
        AnatomicalPlane.AXIAL: (0, 1, 2),
        AnatomicalPlane.CORONAL: (0, 2, 1),
        AnatomicalPlane.SAGITTAL: (1, 2, 0),
    }[plane.anatomical]
    directions = plane.grid.affine[:3, :3] / np.array(plane.grid.spacing)
    start = plane.percent_to_world((0, 0), index=0)
    for end, axis, world in (((100, 0), plane.column_axis, across), ((0, 100), plane.row_axis, down)):
        step = plane.percent_to_world(end, index=0) - start
        assert step[world] <= 1e-9
        assert abs(step[world]) == pytest.approx(abs(directions[world, axis]) * np.linalg.norm(step))
    others = [abs(directions[normal, axis]) for axis in (plane.row_axis, plane.column_axis)]
    assert abs(directions[normal, plane.slice_axis]) >= max(others) - 1e-9


@settings(deadline=None, max_examples=100)
@given(planes)
def test_the_plane_survives_json(plane: PicturePlane) -> None:
    again = PicturePlane.from_dict(json.loads(json.dumps(plane.as_dict())))
    assert again.as_dict() == plane.as_dict()
    np.testing.assert_array_equal(again.grid.affine, plane.grid.affine)
    assert again.grid.shape == plane.grid.shape


def test_patient_right_is_on_the_left_and_anterior_up() -> None:
    """A dot at the patient's right front lands in the upper left corner, whatever the file's axis order."""
    for order in permutations(range(3)):
        for signs in np.ndindex(2, 2, 2):
            axes = np.eye(3)[:, order] * (1.0 - 2.0 * np.array(signs))
            affine = np.eye(4)
            affine[:3, :3] = axes
            size = np.array([5, 7, 3])[list(order)]
            affine[:3, 3] = -axes @ ((size - 1) / 2)
            plane = PicturePlane.of(Grid(tuple(size), affine))
            volume = np.zeros(size)
            i, j, k = np.rint(plane.grid.to_voxel((2, 3, 1))).astype(int)
            volume[i, j, k] = 1
            picture = plane.to_picture(volume, (i, j, k)[plane.slice_axis])
            assert picture.shape == (7, 5)
            assert picture[0, 0] == 1
            assert picture.sum() == 1


def test_percent_is_the_pixel_edge_and_not_its_centre() -> None:
    plane = PicturePlane.of(Grid((4, 5, 2), np.diag([-1.0, -1.0, 3.0, 1.0])))
    np.testing.assert_allclose(plane.percent_to_voxel((0, 0), index=1), (-0.5, -0.5, 1))
    np.testing.assert_allclose(plane.percent_to_voxel((100, 100), index=1), (3.5, 4.5, 1))
    np.testing.assert_allclose(plane.percent_to_voxel((12.5, 10), index=1), (0, 0, 1))
    assert plane.pixel_spacing_mm == (1.0, 1.0)


def test_what_does_not_fit_is_refused() -> None:
    plane = PicturePlane.of(Grid((4, 5, 2), np.eye(4)))
    volume = np.zeros((4, 5, 2))

    def refused(code: str, call: object, *args: object, **kwargs: object) -> None:
        with pytest.raises(RejectedInput) as caught:
            call(*args, **kwargs)  # type: ignore[operator]
        assert caught.value.code == code

    refused("slice-index", plane.to_picture, volume, 2)
    refused("slice-index", plane.to_picture, volume, -1)
    refused("plane-shape", plane.to_picture, np.zeros((5, 4, 2)), 0)
    refused("picture-size", plane.from_picture, np.zeros((4, 5)), into=volume, index=0)
    refused("plane-description", PicturePlane.from_dict, {"view": "axial"})
    refused("plane-description", PicturePlane.from_dict, plane.as_dict() | {"view": "upside-down"})
    refused("plane-axes", PicturePlane.from_dict, plane.as_dict() | {"slice_axis": 0})
