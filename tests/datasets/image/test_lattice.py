"""Grids of the same points are brought together exactly; others are refused with how far they lie and which way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from datasets.errors import GeometryError
from datasets.image.lattice import grid_findings, is_box_of, lattice_of, mask_on, volume_on
from datasets.image.mask import Mask
from datasets.image.volume import Affine, Grid, Volume

SHAPE = (9, 7, 5)
Triple = tuple[int, int, int]


def _affine(angles: tuple[float, ...] = (0.0, 0.0, 0.0), spacing: tuple[float, ...] = (0.8, 1.25, 4.0)) -> Affine:
    affine = np.eye(4)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        affine[:3, :3] = affine[:3, :3] @ step
    affine[:3, :3] = affine[:3, :3] @ np.diag(spacing)
    affine[:3, 3] = (-31.5, 20.25, 7.125)
    return affine


GRID = Grid(SHAPE, _affine())
LABELS = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.uint8)


def _turned(
    grid: Grid, data: NDArray[np.uint8], axes: Triple, flips: tuple[bool, ...]
) -> tuple[Grid, NDArray[np.uint8]]:
    """The same points and values with the axes in another order and counted from other corners."""
    affine = grid.affine.copy()
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (grid.shape[axis] - 1)
            affine[:3, axis] *= -1
            data = np.flip(data, axis)
    affine[:3, :3] = affine[:3, axes]
    shape = np.array(grid.shape)[list(axes)].tolist()
    return Grid((shape[0], shape[1], shape[2]), affine), data.transpose(axes)


def _boxed(grid: Grid, data: NDArray[np.uint8], low: Triple, high: Triple) -> tuple[Grid, NDArray[np.uint8]]:
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world(low)
    box = data[tuple(slice(first, last) for first, last in zip(low, high, strict=True))]
    return Grid((box.shape[0], box.shape[1], box.shape[2]), affine), box


def _moved(way: tuple[float, float, float], grid: Grid = GRID) -> Grid:
    affine = grid.affine.copy()
    affine[:3, 3] += way
    return Grid(grid.shape, affine)


def _sides(size: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(0, size - 1).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, size)))


_BOX = st.tuples(*map(_sides, SHAPE))


@settings(max_examples=150, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    axes=st.permutations((0, 1, 2)),
    flips=st.tuples(*[st.booleans()] * 3),
    box=_BOX,
    drift=st.tuples(*[st.floats(-0.004, 0.004)] * 3),
)
def test_a_mask_in_any_order_and_box_lands_on_its_own_voxels(
    angles: tuple[float, ...], axes: list[int], flips: tuple[bool, ...], box: tuple[tuple[int, int], ...],
    drift: tuple[float, float, float],
) -> None:  # fmt: skip
    grid = Grid(SHAPE, _affine(angles))
    low, high = ((box[0][end], box[1][end], box[2][end]) for end in (0, 1))
    part_grid, part = _boxed(grid, LABELS, low, high)
    other, data = _turned(part_grid, part, (axes[0], axes[1], axes[2]), flips)
    moved, findings = mask_on(Mask(np.ascontiguousarray(data), _moved(drift, other)), grid, what="The mask")
    expected = np.zeros(SHAPE, np.uint8)
    inside = tuple(slice(first, last) for first, last in box)
    expected[inside] = LABELS[inside]
    assert np.array_equal(moved.data, expected)
    assert moved.grid is grid
    assert is_box_of(grid, other)
    said = {finding.code for finding in findings}
    assert ("grid-box" in said) == (part.shape != SHAPE)
    if not 0.9e-3 < np.linalg.norm(drift) < 1.1e-3:
        assert ("grid-drift" in said) == (np.linalg.norm(drift) > 1e-3)


@settings(max_examples=100, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    axes=st.permutations((0, 1, 2)),
    flips=st.tuples(*[st.booleans()] * 3),
    box=_BOX,
)
def test_an_image_is_cut_to_a_box_of_its_points_in_any_order(
    angles: tuple[float, ...], axes: list[int], flips: tuple[bool, ...], box: tuple[tuple[int, int], ...]
) -> None:
    grid = Grid(SHAPE, _affine(angles))
    low, high = ((box[0][end], box[1][end], box[2][end]) for end in (0, 1))
    target, expected = _turned(*_boxed(grid, LABELS, low, high), (axes[0], axes[1], axes[2]), flips)
    moved, _ = volume_on(Volume(LABELS, grid), target, what="The image")
    assert moved.grid is target
    assert np.array_equal(moved.data, expected)


@settings(max_examples=150, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    axes=st.permutations((0, 1, 2)),
    flips=st.tuples(*[st.booleans()] * 3),
    share=st.tuples(*[st.floats(-0.45, 0.45)] * 3),
)
def test_points_beside_the_grid_s_are_refused_and_never_resampled(
    angles: tuple[float, ...], axes: list[int], flips: tuple[bool, ...], share: tuple[float, ...]
) -> None:
    grid = Grid(SHAPE, _affine(angles))
    way = grid.affine[:3, :3] @ np.array(share)
    other, data = _turned(grid, LABELS, (axes[0], axes[1], axes[2]), flips)
    shifted = _moved((way[0], way[1], way[2]), other)
    if np.abs(share).max() <= 0.0101:
        return
    with pytest.raises(GeometryError) as caught:
        mask_on(Mask(np.ascontiguousarray(data), shifted), grid, what="The mask")
    assert caught.value.code == "grid-mismatch"
    assert " mm towards the " in caught.value.message


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (_moved((0, 0, -3.2)), "3.2 mm towards the feet"),
        (_moved((0, 0, 4.0)), "4 mm towards the head"),
        (_moved((-1.5, 0, 0)), "1.5 mm towards the left"),
        (_moved((0, 0.3, 0)), "0.3 mm towards the front"),
        (_moved((2.0, -1.0, 0)), "2 mm towards the right and 1 mm towards the back"),
        (Grid(SHAPE, _affine((0.0, 0.0, 0.05))), "turned by 2.9 degrees"),
        (Grid(SHAPE, _affine(spacing=(0.8, 1.25, 3.9))), "with voxels of 0.8 x 1.25 x 3.9 mm"),
        (_boxed(_moved((0, 0, 1.3)), LABELS, (1, 1, 1), (4, 4, 4))[0], "1.3 mm towards the head of the nearest"),
        (_boxed(_moved((0, 0, 8.0)), LABELS, (0, 0, 1), (9, 7, 5))[0], "8 mm towards the head beyond it"),
    ],
)
def test_a_refusal_says_how_far_and_which_way(grid: Grid, words: str) -> None:
    with pytest.raises(GeometryError) as caught:
        mask_on(Mask(np.ones(grid.shape, np.uint8), grid), GRID, what="The mask")
    assert words in caught.value.message
    with pytest.raises(GeometryError) as strict:
        GRID.require_match(grid, what="The mask")
    assert words in strict.value.message


def test_a_thousandth_of_a_millimetre_is_nothing_and_a_hundredth_of_a_voxel_is_said() -> None:
    assert grid_findings(GRID, _moved((5e-4, 0, 0)), what="The mask") == ()
    (finding,) = grid_findings(GRID, _moved((0.007, 0, 0)), what="The mask")
    assert (finding.code, "0.007 mm apart" in finding.message) == ("grid-drift", True)
    with pytest.raises(GeometryError):
        grid_findings(GRID, _moved((0.013, 0, 0)), what="The mask")


def _rounded(grid: Grid, *, spacing: int, place: int, direction: int = 6, shape: Triple | None = None) -> Grid:
    """The grid as a header with fewer decimals has it, in float32."""
    directions = np.round(grid.affine[:3, :3] / grid.spacing, direction)
    affine = np.eye(4)
    affine[:3, :3] = directions * np.round(grid.spacing, spacing)
    affine[:3, 3] = np.round(grid.affine[:3, 3], place)
    return Grid(shape or grid.shape, affine.astype(np.float32).astype(np.float64))


@settings(max_examples=150, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    spacing=st.tuples(st.floats(0.4, 1.2), st.floats(0.4, 1.2), st.floats(2.0, 6.0)),
    decimals=st.tuples(st.integers(3, 6), st.integers(1, 6)),
)
def test_what_rounding_in_headers_explains_is_taken_and_said(
    angles: tuple[float, ...], spacing: tuple[float, ...], decimals: tuple[int, int]
) -> None:
    grid = Grid((320, 256, 30), _affine(angles, spacing))
    other = _rounded(grid, spacing=decimals[0], place=decimals[1])
    lattice = lattice_of(grid, other)
    assert lattice is not None
    assert (lattice.low, lattice.steps, lattice.axes) == ((0, 0, 0), (1, 1, 1), (0, 1, 2))
    back = lattice_of(other, grid)
    assert back is not None
    codes = [finding.code for finding in grid_findings(grid, other, what="The mask")]
    assert codes == (["grid-drift"] if not grid.matches(other) and lattice.drift_mm > 1e-3 else [])


def test_a_quarter_of_a_voxel_that_no_rounding_explains_is_refused() -> None:
    grid = Grid((512, 512, 20), _affine(spacing=(0.46875, 0.46875, 4.0)))
    assert lattice_of(grid, Grid(grid.shape, _affine(spacing=(0.469, 0.469, 4.0)))) is not None
    assert lattice_of(grid, Grid(grid.shape, _affine(spacing=(0.46911, 0.46911, 4.0)))) is None


def test_a_mask_that_reaches_beyond_its_image_is_refused() -> None:
    small, _ = _boxed(GRID, LABELS, (2, 1, 1), (8, 6, 4))
    with pytest.raises(GeometryError) as caught:
        mask_on(Mask(LABELS, GRID), small, what="The mask")
    assert "beyond it" in caught.value.message


def test_an_image_that_does_not_reach_as_far_is_refused() -> None:
    small, part = _boxed(GRID, LABELS, (2, 1, 1), (8, 6, 4))
    with pytest.raises(GeometryError):
        volume_on(Volume(part, small), GRID, what="The image")
