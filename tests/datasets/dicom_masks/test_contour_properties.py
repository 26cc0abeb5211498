"""Whatever is done to a region's contours, its mask is the one that its shapes have, or a finding says otherwise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from datasets.dicom_masks.contours import DrawnContour, fill_contours
from datasets.image.volume import Grid, Points

SHAPE = (34, 30, 13)
ROWS, COLUMNS = np.indices(SHAPE[:2])


def _grid(angles: tuple[float, ...]) -> Grid:
    affine = np.eye(4)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        affine[:3, :3] = affine[:3, :3] @ step
    affine[:3, :3] = affine[:3, :3] @ np.diag([-0.8, -1.1, 4.0])
    affine[:3, 3] = (12.0, -30.5, 101.0)
    return Grid(SHAPE, affine)


def _circle(centre: tuple[float, float], radius: float, height: float, *, corners: int = 40) -> Points:
    turns = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    points = np.column_stack([np.cos(turns), np.sin(turns)]) * radius + centre
    return np.column_stack([points, np.full(corners, height)])


def _disc(centre: tuple[float, float], radius: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels that are surely inside a circle of forty corners, and those that may be: rounding and jitter aside."""
    apart = np.hypot(ROWS - centre[0], COLUMNS - centre[1])
    return apart < radius * np.cos(np.pi / 40) - 0.05, apart < radius + 0.05


def _agrees(plane: NDArray[np.uint8], surely: NDArray[np.bool_], perhaps: NDArray[np.bool_]) -> bool:
    return bool((plane[surely] == 1).all() and (plane[~perhaps] == 0).all())


def _several_rounds(
    once: Points, centre: tuple[float, float], radius: float, rounds: list[tuple[int, bool, int]]
) -> Points:
    """A contour that runs round again: from elsewhere, the other way, with more or fewer points."""
    again = [_circle(centre, radius, once[0, 2], corners=corners) for _, _, corners in rounds]
    turned = [
        np.roll(each, start, axis=0)[:: -1 if is_backwards else 1]
        for each, (start, is_backwards, _) in zip(again, rounds, strict=True)
    ]
    return np.concatenate([once, *turned])


_ANGLES = st.tuples(*[st.floats(-3.1, 3.1)] * 3)
_CENTRE = st.tuples(st.floats(12, 20), st.floats(12, 18))
_JITTER_MM = 0.01


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    angles=_ANGLES,
    centre=_CENTRE,
    radius=st.floats(4, 9),
    hole=st.one_of(st.just(0.0), st.floats(1.5, 2.8)),
    k=st.integers(1, 11),
    copies=st.lists(
        st.tuples(st.integers(0, 39), st.booleans(), st.tuples(*[st.floats(-_JITTER_MM, _JITTER_MM)] * 2)), max_size=3
    ),
    holes_too=st.booleans(),
    names=st.booleans(),
    rounds=st.lists(st.tuples(st.integers(0, 39), st.booleans(), st.integers(36, 90)), max_size=1),
)
def test_a_region_whose_contours_stand_several_times_is_the_region(
    angles: tuple[float, ...], centre: tuple[float, float], radius: float, hole: float, k: int,
    copies: list[tuple[int, bool, tuple[float, ...]]], holes_too: bool, names: bool,
    rounds: list[tuple[int, bool, int]],
) -> None:  # fmt: skip
    grid = _grid(angles)
    outlines = [_circle(centre, radius, k), *([_circle(centre, hole, k)] if hole else [])]
    drawn = [_several_rounds(outlines[0], centre, radius, rounds), *outlines[1:]]
    for start, is_backwards, aside in copies:
        for outline in outlines if holes_too else outlines[:1]:
            again = np.roll(outline, start, axis=0)[:: -1 if is_backwards else 1].copy()
            again[:, :2] += np.array(aside) / grid.spacing[:2]
            drawn.append(again)
    contours = [DrawnContour(grid.to_world(points), k if names else None) for points in drawn]
    data, findings = fill_contours(contours, grid, subject="region 1")
    surely, perhaps = _disc(centre, radius)
    if hole:
        inner, outer = _disc(centre, hole)
        surely, perhaps = surely & ~outer, perhaps & ~inner
    assert _agrees(data[:, :, k], surely, perhaps)
    assert not np.delete(data, k, axis=2).any()
    assert [finding.code for finding in findings] == (["contour-twice"] if copies else [])


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    angles=_ANGLES,
    centre=st.tuples(st.floats(-8, 42), st.floats(-8, 38)),
    radius=st.floats(3, 12),
    low=st.integers(-3, 12),
    count=st.integers(1, 8),
)
def test_a_region_that_leaves_the_picture_is_cut_and_said(
    angles: tuple[float, ...], centre: tuple[float, float], radius: float, low: int, count: int
) -> None:
    grid = _grid(angles)
    contours = [DrawnContour(grid.to_world(_circle(centre, radius, k))) for k in range(low, low + count)]
    there = [k for k in range(low, low + count) if 0 <= k < SHAPE[2]]
    surely, perhaps = _disc(centre, radius)
    if not there or not surely.any():
        return
    data, findings = fill_contours(contours, grid, subject="region 1")
    assert all(_agrees(data[:, :, k], surely, perhaps) for k in there)
    assert not np.delete(data, there, axis=2).any()
    reach = (
        np.array([centre[0] - radius, centre[1] - radius]).min(),
        (np.array(centre) + radius - np.array(SHAPE[:2]) + 1).max(),
    )
    leaves = reach[0] < -1.05 or reach[1] > 1.05 or len(there) < count
    if leaves:
        assert [finding.code for finding in findings] == ["contour-outside"]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    angles=_ANGLES,
    centre=_CENTRE,
    radius=st.floats(5, 8),
    every=st.integers(1, 5),
    first=st.integers(0, 3),
    slope=st.floats(-0.25, 0.25),
    dropped=st.integers(0, 12),
)
def test_a_region_drawn_on_every_nth_slice_is_whole_or_its_gaps_are_said(
    angles: tuple[float, ...], centre: tuple[float, float], radius: float, every: int, first: int, slope: float,
    dropped: int,
) -> None:  # fmt: skip
    grid = _grid(angles)
    heights = list(range(first, SHAPE[2], every))
    drawn = [k for n, k in enumerate(heights) if n != dropped]
    if not drawn:
        return
    contours = [DrawnContour(grid.to_world(_circle(centre, radius + slope * k, k))) for k in drawn]
    data, findings = fill_contours(contours, grid, subject="region 1")
    codes = [finding.code for finding in findings]
    between = [k for k in range(drawn[0], drawn[-1] + 1) if k not in drawn]
    empty = [k for k in between if not data[:, :, k].any()]
    assert ("contour-gap" in codes) == bool(empty)
    assert ("contour-filled-between" in codes) == (len(empty) < len(between))
    for k in (*drawn, *(k for k in between if k not in empty)):
        surely, _ = _disc(centre, radius + slope * k - (0 if k in drawn else 1.5))
        _, perhaps = _disc(centre, radius + slope * k + (0 if k in drawn else 1.5))
        assert _agrees(data[:, :, k], surely, perhaps)
    if every == 1:
        assert len(empty) == len(between)  # what is missing among slices that were all drawn is nobody's to invent
