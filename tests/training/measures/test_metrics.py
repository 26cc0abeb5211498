"""Overlap and surface distances, against values worked out by hand and against MONAI."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets.errors import GeometryError
from datasets.image.volume import Grid
from tests.training.support.synthetic import lps_grid
from training.measures.metrics import agreement, assd_mm, dice, hd95_mm, surface_dice, surface_distances, volume_ml

GRID = lps_grid((10, 12, 6), (1.0, 0.5, 4.0))
EMPTY = np.zeros(GRID.shape, dtype=bool)


def cube(first: tuple[int, int, int], last: tuple[int, int, int]) -> np.ndarray:
    inside = np.zeros(GRID.shape, dtype=np.uint8)
    inside[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = 1
    return inside


def test_dice_by_hand() -> None:
    assert dice(cube((0, 0, 0), (4, 4, 4)), cube((2, 0, 0), (6, 4, 4))) == 0.5
    assert dice(EMPTY, EMPTY) == 1.0
    assert dice(EMPTY, cube((0, 0, 0), (1, 1, 1))) == 0.0
    assert dice(cube((0, 0, 0), (4, 4, 4)) * 3, cube((0, 0, 0), (4, 4, 4))) == 1.0


@pytest.mark.parametrize(("axis", "millimetres"), [(0, 1.0), (1, 0.5), (2, 4.0)])
def test_one_voxel_apart_is_one_spacing(axis: int, millimetres: float) -> None:
    one, other = EMPTY.copy(), EMPTY.copy()
    place = [3, 3, 3]
    one[tuple(place)] = True
    place[axis] += 1
    other[tuple(place)] = True
    assert assd_mm(one, other, GRID) == hd95_mm(one, other, GRID) == millimetres


def test_empty_masks() -> None:
    some = cube((2, 2, 2), (5, 5, 5))
    assert assd_mm(EMPTY, EMPTY, GRID) == hd95_mm(EMPTY, EMPTY, GRID) == 0.0
    for pair in ((EMPTY, some), (some, EMPTY)):
        assert assd_mm(*pair, GRID) == hd95_mm(*pair, GRID) == float("inf")
    assert [way.size for way in surface_distances(some, EMPTY, GRID)] == [26, 0]


def test_shapes_and_shear_are_refused() -> None:
    with pytest.raises(GeometryError):
        dice(EMPTY, EMPTY[1:])
    with pytest.raises(GeometryError):
        assd_mm(EMPTY[1:], EMPTY[1:], GRID)
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    with pytest.raises(GeometryError):
        hd95_mm(EMPTY, EMPTY, Grid(GRID.shape, sheared))


def test_agrees_with_monai() -> None:
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

    random = np.random.default_rng(3)
    for _ in range(5):
        one, other = (cube(tuple(random.integers(0, 3, 3)), tuple(random.integers(4, 6, 3))) for _ in range(2))
        a, b = (torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (one, other))
        spacing = list(GRID.spacing)
        theirs = compute_average_surface_distance(a, b, include_background=True, symmetric=True, spacing=spacing)
        assert assd_mm(one, other, GRID) == pytest.approx(float(theirs), abs=1e-5)
        theirs = compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=spacing)
        assert hd95_mm(one, other, GRID) == pytest.approx(float(theirs), abs=1e-5)
        for tolerance in (0.5, 1.0, 2.0):
            theirs = compute_surface_dice(a, b, [tolerance], include_background=True, spacing=spacing)
            assert surface_dice(one, other, GRID, tolerance_mm=tolerance) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_symmetric_and_zero_only_for_equal_surfaces(data: st.DataObject) -> None:
    shape = (4, 5, 3)
    grid = lps_grid(shape, (0.7, 1.1, 3.0))
    one, other = (data.draw(arrays(np.bool_, shape)) for _ in range(2))
    assert dice(one, other) == dice(other, one)
    assert assd_mm(one, other, grid) == pytest.approx(assd_mm(other, one, grid))
    assert hd95_mm(one, other, grid) == hd95_mm(other, one, grid)
    assert hd95_mm(one, one, grid) == 0.0
    assert surface_dice(one, other, grid) == surface_dice(other, one, grid)
    assert surface_dice(one, one, grid) == 1.0


def test_surface_dice_by_hand() -> None:
    """A column of three voxels against one that lacks the last: of five surface voxels, four lie on the other's."""
    grid = lps_grid((3, 3, 5), (1.0, 1.0, 3.0))
    long, short = np.zeros((2, *grid.shape), dtype=bool)
    long[1, 1, 1:4] = True
    short[1, 1, 1:3] = True
    assert surface_dice(long, short, grid) == pytest.approx(4 / 5)
    assert surface_dice(long, short, grid, tolerance_mm=3.0) == 1.0
    assert surface_dice(long, short, grid, tolerance_mm=2.99) == pytest.approx(4 / 5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_has_a_rim_as_in_two_dimensions(axis: int) -> None:
    import torch
    from monai.metrics import compute_average_surface_distance, compute_surface_dice

    random = np.random.default_rng(axis)
    spacing = [0.8, 1.1]
    one, other = random.random((2, 12, 9)) < 0.6
    a, b = (torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (one, other))
    shape, sizes = np.insert([12, 9], axis, 1), np.insert(spacing, axis, 4.0)
    found = agreement(
        np.expand_dims(one, axis), np.expand_dims(other, axis), lps_grid(tuple(shape), tuple(sizes)), axis
    )
    theirs = compute_average_surface_distance(a, b, include_background=True, symmetric=True, spacing=spacing)
    assert found.assd_mm == pytest.approx(float(theirs), abs=1e-5)
    theirs = compute_surface_dice(a, b, [1.0], include_background=True, spacing=spacing)
    assert found.surface_dice_1mm == pytest.approx(float(theirs), abs=1e-5)


def test_a_surface_exactly_at_the_tolerance_counts_whatever_the_rounding() -> None:
    turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn
    grid = Grid((6, 6, 6), affine.astype(np.float32))
    one, other = np.zeros((2, *grid.shape), dtype=bool)
    one[2, 2, 2] = other[3, 2, 2] = True
    assert surface_dice(one, other, grid) == 1.0


def test_agreement_holds_what_the_measures_say_one_by_one() -> None:
    one, other = cube((1, 1, 1), (6, 8, 4)), cube((3, 2, 1), (8, 9, 5))
    found = agreement(one, other, GRID, 2)
    assert found.dice == dice(one, other)
    assert found.assd_mm == assd_mm(one, other, GRID)
    assert found.hd95_mm == hd95_mm(one, other, GRID)
    assert found.surface_dice_1mm == surface_dice(one, other, GRID)
    assert found.volume_ml == volume_ml(one, GRID) == pytest.approx(5 * 7 * 3 * 2.0 / 1000)
    assert found.reference_volume_ml == volume_ml(other, GRID) == pytest.approx(5 * 7 * 4 * 2.0 / 1000)
    assert found.diameter_mm == pytest.approx(np.hypot(4 * 1.0, 6 * 0.5))


def test_an_empty_prediction_has_no_distances() -> None:
    some = cube((2, 2, 2), (5, 5, 5))
    for pair in ((EMPTY, some), (some, EMPTY)):
        found = agreement(*pair, GRID, 2)
        assert (found.dice, found.assd_mm, found.hd95_mm, found.surface_dice_1mm) == (0.0, None, None, 0.0)
    assert agreement(EMPTY, some, GRID, 2).volume_ml == 0.0
    assert agreement(EMPTY, some, GRID, 2).diameter_mm == 0.0
    nothing = agreement(EMPTY, EMPTY, GRID, 2)
    assert (nothing.dice, nothing.assd_mm, nothing.hd95_mm, nothing.surface_dice_1mm) == (1.0, 0.0, 0.0, 1.0)


@pytest.mark.slow
def test_agreement_is_fast_enough_to_follow_every_click(tell_figure: Callable[[str], None]) -> None:
    grid = lps_grid((180, 160, 60), (0.98, 0.98, 3.27))
    away = np.indices(grid.shape).reshape(3, -1).T - np.array([90, 80, 30])
    one = (((away / [85, 75, 28]) ** 2).sum(axis=1) < 1).reshape(grid.shape)
    other = ((((away - [3, -2, 1]) / [80, 76, 26]) ** 2).sum(axis=1) < 1).reshape(grid.shape)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        found = agreement(one, other, grid, 2)
        seconds.append(time.perf_counter() - started)
    tell_figure(f"all measures of a 180 x 160 x 60 mask: {min(seconds):.2f} s, the first time {seconds[0]:.2f} s")
    assert 0.9 < found.dice < 1.0
