"""Agreement of readers, against DeepMind's package, MONAI, and values worked out by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets.errors import GeometryError, RejectedInput
from datasets.image.volume import Grid
from tests.training.support.synthetic import lps_grid
from training.measures.metrics import hd95_mm
from training.measures.readers import mask_agreement, pairs_of_readers, slice_agreement
from training.measures.surface import surface_distances_by_area

SHAPE = (7, 6, 5)
GRID = lps_grid(SHAPE, (1.0, 0.5, 4.0))
EMPTY = np.zeros(SHAPE, dtype=bool)
SPACINGS = st.sampled_from([(1.0, 1.0, 1.0), (1.0, 0.5, 4.0), (0.7, 0.7, 3.3), (5.0, 0.9, 0.31)])


def box(shape: tuple[int, int, int], first: tuple[int, int, int], last: tuple[int, int, int]) -> np.ndarray:
    inside = np.zeros(shape, dtype=bool)
    inside[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    return inside


def deepmind(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...], tolerance: float) -> tuple[float, float]:
    import surface_distance as peer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = peer.compute_surface_distances(one, other, spacing)
    return peer.compute_surface_dice_at_tolerance(found, tolerance), peer.compute_robust_hausdorff(found, 95)


@settings(max_examples=120, deadline=None)
@given(
    one=arrays(np.bool_, SHAPE),
    other=arrays(np.bool_, SHAPE),
    spacing=SPACINGS,
    tolerance=st.sampled_from([0.4, 1.0, 2]),
)
def test_surfaces_are_deepminds(one: np.ndarray, other: np.ndarray, spacing: tuple, tolerance: float) -> None:
    if not (one.any() and other.any()):
        return
    expected = deepmind(one, other, spacing, tolerance)
    found = surface_distances_by_area(one, other, spacing)
    assert found.share_within(tolerance) == pytest.approx(expected[0], abs=1e-9)
    assert found.percentile_mm(95) == pytest.approx(expected[1], abs=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("spacing", [(1.0, 0.5), (0.7, 0.7), (3.0, 0.9)])
def test_rims_of_slices_are_deepminds(share: float, spacing: tuple[float, float]) -> None:
    random = np.random.default_rng(7)
    for _ in range(10):
        one, other = random.random((2, 9, 8)) < share
        expected = deepmind(one, other, spacing, 1.0)
        found = surface_distances_by_area(one, other, spacing)
        assert (found.share_within(1.0), found.percentile_mm(95)) == pytest.approx(expected, abs=1e-5)


def test_surface_dice_is_monais_with_sub_voxels() -> None:
    import torch
    from monai.metrics import compute_dice, compute_surface_dice

    random = np.random.default_rng(11)
    for share in (0.05, 0.3, 0.5, 0.8):
        one, other = random.random((2, *SHAPE)) < share
        a, b = (torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (one, other))
        theirs = compute_surface_dice(
            a, b, [1.0], include_background=True, spacing=list(GRID.spacing), use_subvoxels=True
        )
        found = mask_agreement(one, other, GRID)
        assert found.surface_dice_1mm == pytest.approx(float(theirs), abs=1e-5)
        assert found.dice == pytest.approx(float(compute_dice(a, b, include_background=True)), abs=1e-6)


@pytest.mark.parametrize(("axis", "moved", "millimetres"), [(0, 2, 2.0), (1, 3, 1.5), (2, 1, 4.0)])
def test_hd95_is_monais_too_where_a_box_was_moved(axis: int, moved: int, millimetres: float) -> None:
    grid = lps_grid((20, 20, 20), (1.0, 0.5, 4.0))
    one = box(grid.shape, (4, 4, 4), (12, 12, 12))
    other = np.roll(one, moved, axis)
    assert mask_agreement(one, other, grid).hd95_mm == hd95_mm(one, other, grid) == millimetres


def test_hd95_weighs_by_area_where_monai_counts_voxels() -> None:
    """A spike of few voxels on a large flat plate: a twentieth of the voxels, but not of the area."""
    import torch
    from monai.metrics import compute_hausdorff_distance

    grid = lps_grid((24, 24, 12), (1.0, 1.0, 5.0))
    one = box(grid.shape, (2, 2, 2), (22, 22, 3))
    other = one | box(grid.shape, (2, 2, 2), (3, 6, 10))
    a, b = (torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (one, other))
    theirs = float(compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=[1.0, 1.0, 5.0]))
    assert hd95_mm(one, other, grid) == pytest.approx(theirs, abs=1e-4)
    found = mask_agreement(one, other, grid).hd95_mm
    assert found == pytest.approx(deepmind(one, other, (1.0, 1.0, 5.0), 1.0)[1], abs=1e-5)
    assert found is not None
    assert found > theirs


def test_by_hand() -> None:
    """Two cubes of 4 x 4 x 4 mm, one moved by half its size: half overlaps, the volumes are the same."""
    grid = lps_grid((10, 10, 10), (1.0, 1.0, 1.0))
    found = mask_agreement(box(grid.shape, (2, 2, 2), (6, 6, 6)), box(grid.shape, (4, 2, 2), (8, 6, 6)), grid)
    assert (found.dice, found.volume_ratio, found.hd95_mm) == (0.5, 1.0, 2.0)
    assert (found.volume_ml, found.other_volume_ml) == (0.064, 0.064)


def test_empty_masks() -> None:
    some = box(SHAPE, (2, 2, 2), (5, 5, 4))
    both = mask_agreement(EMPTY, EMPTY, GRID)
    assert (both.dice, both.surface_dice_1mm, both.hd95_mm, both.volume_ratio) == (1.0, 1.0, 0.0, 1.0)
    first = mask_agreement(EMPTY, some, GRID)
    assert (first.dice, first.surface_dice_1mm, first.hd95_mm, first.volume_ratio) == (0.0, 0.0, None, 0.0)
    second = mask_agreement(some, EMPTY, GRID)
    assert (second.dice, second.surface_dice_1mm, second.hd95_mm, second.volume_ratio) == (0.0, 0.0, None, None)
    assert slice_agreement(EMPTY, EMPTY, GRID, 2) == {}


def test_slices_are_measured_as_slices() -> None:
    one = box(SHAPE, (1, 1, 1), (5, 5, 3))
    other = box(SHAPE, (1, 1, 2), (5, 5, 4))
    found = slice_agreement(one, other, GRID, 2)
    assert sorted(found) == [1, 2, 3]
    assert found[2].dice == found[2].surface_dice_1mm == 1.0
    assert (found[1].dice, found[1].hd95_mm, found[1].volume_ratio) == (0.0, None, None)
    assert found[1].volume_ml == pytest.approx(16 * 1.0 * 0.5 * 4.0 / 1000)


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
def test_a_slice_is_what_a_picture_of_it_is(slice_axis: int) -> None:
    one, other = np.random.default_rng(3).random((2, *SHAPE)) < 0.5
    spacing = [GRID.spacing[axis] for axis in range(3) if axis != slice_axis]
    for index, found in slice_agreement(one, other, GRID, slice_axis).items():
        pictures = one.take(index, slice_axis), other.take(index, slice_axis)
        assert (found.surface_dice_1mm, found.hd95_mm) == pytest.approx(deepmind(*pictures, spacing, 1.0), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(one=arrays(np.bool_, SHAPE), other=arrays(np.bool_, SHAPE))
def test_order_of_readers_changes_only_the_ratio(one: np.ndarray, other: np.ndarray) -> None:
    there, back = mask_agreement(one, other, GRID), mask_agreement(other, one, GRID)
    assert there.dice == back.dice
    assert there.surface_dice_1mm == pytest.approx(back.surface_dice_1mm)
    assert there.hd95_mm == back.hd95_mm
    if there.volume_ratio and back.volume_ratio:
        assert there.volume_ratio * back.volume_ratio == pytest.approx(1.0)


def test_a_grid_of_one_slice_has_no_faces() -> None:
    grid = lps_grid((8, 8, 1), (1.0, 1.0, 6.0))
    one, other = box(grid.shape, (1, 1, 0), (5, 5, 1)), box(grid.shape, (1, 1, 0), (5, 7, 1))
    expected = deepmind(one[..., 0], other[..., 0], (1.0, 1.0), 1.0)
    found = mask_agreement(one, other, grid)
    assert (found.surface_dice_1mm, found.hd95_mm) == pytest.approx(expected)
    assert mask_agreement(one & False, other & False, grid).dice == 1.0


def test_each_two_of_three_readers() -> None:
    masks = {"a": box(SHAPE, (1, 1, 1), (5, 5, 3)), "b": box(SHAPE, (1, 1, 1), (5, 5, 4)), "c": EMPTY}
    found = pairs_of_readers(masks, GRID)
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found["a", "b"] == mask_agreement(masks["a"], masks["b"], GRID)
    with pytest.raises(RejectedInput) as refusal:
        pairs_of_readers({"a": EMPTY}, GRID)
    assert refusal.value.code == "too-few-readers"


def test_shapes_and_shear_are_refused() -> None:
    with pytest.raises(GeometryError):
        mask_agreement(EMPTY[1:], EMPTY[1:], GRID)
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    with pytest.raises(GeometryError):
        slice_agreement(EMPTY, EMPTY, Grid(SHAPE, sheared), 2)
