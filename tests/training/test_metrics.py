"""Overlap and surface distances, against values worked out by hand and against MONAI."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets.errors import GeometryError
from datasets.volume import Grid
from tests.training.synthetic import lps_grid
from training.metrics import assd_mm, dice, hd95_mm, surface_distances

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
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    random = np.random.default_rng(3)
    for _ in range(5):
        one, other = (cube(tuple(random.integers(0, 3, 3)), tuple(random.integers(4, 6, 3))) for _ in range(2))
        a, b = (torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (one, other))
        spacing = list(GRID.spacing)
        theirs = compute_average_surface_distance(a, b, include_background=True, symmetric=True, spacing=spacing)
        assert assd_mm(one, other, GRID) == pytest.approx(float(theirs), abs=1e-5)
        theirs = compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=spacing)
        assert hd95_mm(one, other, GRID) == pytest.approx(float(theirs), abs=1e-5)


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
