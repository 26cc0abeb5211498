"""The largest diameter in a slice, against values worked out by hand and against every pair of voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from datasets.image.volume import Grid
from tests.training.support.synthetic import lps_grid
from training.measures.diameter import recist_diameters, transverse_diameter_mm

SHAPE = (5, 6, 4)


def every_pair(inside: np.ndarray, grid: Grid, slice_axis: int) -> float:
    """The definition itself, without any short cut."""
    voxels = np.argwhere(inside)
    by_slice = [voxels[voxels[:, slice_axis] == index] for index in range(inside.shape[slice_axis])]
    return max((pdist(grid.to_world(some)).max() for some in by_slice if len(some) > 1), default=0.0)


@settings(max_examples=80, deadline=None)
@given(inside=arrays(np.bool_, SHAPE), slice_axis=st.integers(0, 2))
def test_no_two_voxels_of_a_slice_lie_farther_apart(inside: np.ndarray, slice_axis: int) -> None:
    grid = lps_grid(SHAPE, (0.7, 1.3, 3.0))
    expected = every_pair(inside, grid, slice_axis)
    assert transverse_diameter_mm(inside, grid, slice_axis) == pytest.approx(expected)


def test_slices_are_not_joined() -> None:
    """Two voxels in different slices have no diameter; a diagonal within one has."""
    grid = lps_grid(SHAPE, (1.0, 2.0, 5.0))
    inside = np.zeros(SHAPE, dtype=bool)
    inside[0, 0, 0] = inside[4, 5, 3] = True
    assert transverse_diameter_mm(inside, grid, 2) == 0.0
    inside[3, 2, 0] = True
    assert transverse_diameter_mm(inside, grid, 2) == pytest.approx(5.0)  # 3 voxels of 1 mm, 2 of 2 mm


def test_directions_of_an_oblique_grid_count() -> None:
    affine = np.eye(4)
    affine[:3, 0] = (0.6, 0.0, 0.8)  # sheared against k: millimetres along i stay 1
    grid = Grid((4, 4, 4), affine)
    inside = np.zeros(grid.shape, dtype=bool)
    inside[0, 0, 1] = inside[3, 0, 1] = True
    assert transverse_diameter_mm(inside, grid, 2) == pytest.approx(3.0)


def test_an_empty_mask_has_none() -> None:
    assert transverse_diameter_mm(np.zeros(SHAPE), lps_grid(SHAPE, (1.0, 1.0, 1.0)), 2) == 0.0


def ellipse(radii_mm: tuple[float, float], degrees: float, grid: Grid) -> np.ndarray:
    """An ellipse in slice 2 of a grid, turned, around the middle of the slice."""
    i, j = np.indices(grid.shape[:2]).astype(float)
    x, y = (i - (grid.shape[0] - 1) / 2) * grid.spacing[0], (j - (grid.shape[1] - 1) / 2) * grid.spacing[1]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    inside = np.zeros(grid.shape, dtype=bool)
    inside[..., 2] = ((c * x + s * y) / radii_mm[0]) ** 2 + ((c * y - s * x) / radii_mm[1]) ** 2 <= 1
    return inside


@pytest.mark.parametrize("degrees", [0, 17, 45, 80, 90, 133])
@pytest.mark.parametrize("radii", [(30.0, 12.0), (25.0, 20.0)])
def test_diameters_of_an_ellipse(radii: tuple[float, float], degrees: float) -> None:
    """Between centres: the longest is at most a pixel's diagonal shorter than the ellipse's own axis.

    Which pixels lie farthest apart turns the line a little; what is across it changes by less than two pixels.
    """
    grid = lps_grid((150, 120, 4), (0.5, 0.7, 4.0))
    found = recist_diameters(ellipse(radii, degrees, grid), grid, 2)
    assert found is not None
    pixel = np.hypot(0.5, 0.7)
    assert found.slice_index == 2
    assert 2 * radii[0] - pixel <= found.longest.length_mm <= 2 * radii[0]
    assert found.short.length_mm == pytest.approx(2 * radii[1], abs=1.5 * pixel)


@settings(max_examples=80, deadline=None)
@given(inside=arrays(np.bool_, SHAPE), slice_axis=st.integers(0, 2))
def test_both_diameters_are_where_they_say(inside: np.ndarray, slice_axis: int) -> None:
    grid = lps_grid(SHAPE, (0.7, 1.3, 3.0))
    found = recist_diameters(inside, grid, slice_axis)
    assert (found is None) == (not inside.any())
    if found is None:
        return
    long_ends, short_ends = (grid.to_world(line.ends) for line in (found.longest, found.short))
    assert np.linalg.norm(long_ends[1] - long_ends[0]) == pytest.approx(found.longest.length_mm)
    assert np.linalg.norm(short_ends[1] - short_ends[0]) == pytest.approx(found.short.length_mm, abs=1e-6)
    assert (long_ends[1] - long_ends[0]) @ (short_ends[1] - short_ends[0]) == pytest.approx(0.0, abs=1e-5)
    for ends in (found.longest.ends, found.short.ends):
        assert {end[slice_axis] for end in ends} == {found.slice_index}
    assert all(inside[tuple(map(int, end))] for end in found.longest.ends)
    assert found.short.length_mm <= found.longest.length_mm + 1e-9


@settings(max_examples=60, deadline=None)
@given(picture=arrays(np.bool_, (7, 6)))
def test_the_short_axis_is_the_longest_chord_across(picture: np.ndarray) -> None:
    """Against chords at 400 places of the hull that scipy makes, each cut by brute force."""
    from scipy.spatial import ConvexHull, QhullError

    grid = lps_grid((7, 6, 1), (1.0, 1.6, 3.0))
    found = recist_diameters(picture[..., None], grid, 2)
    if found is None:
        return
    start, end = (np.array(place[:2]) * (1.0, 1.6) for place in found.longest.ends)
    points = np.argwhere(picture) * (1.0, 1.6)
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        assert found.short.length_mm == pytest.approx(0.0, abs=1e-6)
        return
    along = (end - start) / np.linalg.norm(end - start)
    t, u = (corners - start) @ along, (corners - start) @ np.array([-along[1], along[0]])
    best = 0.0
    for at in np.linspace(0, found.longest.length_mm, 400):
        hits = []
        for (t0, u0), (t1, u1) in zip(
            zip(t, u, strict=True), zip(np.roll(t, -1), np.roll(u, -1), strict=True), strict=True
        ):
            if min(t0, t1) <= at <= max(t0, t1) and t0 != t1:
                hits.append(u0 + (at - t0) / (t1 - t0) * (u1 - u0))
        best = max(best, max(hits, default=0.0) - min(hits, default=0.0))
    assert best - 1e-9 <= found.short.length_mm <= best + 0.1


def test_a_cross_has_both_arms() -> None:
    inside = np.zeros((11, 11, 1), dtype=bool)
    inside[1:10, 5] = inside[5, 2:9] = True
    found = recist_diameters(inside, lps_grid(inside.shape, (1.0, 1.0, 3.0)), 2)
    assert found is not None
    assert (found.longest.length_mm, found.short.length_mm) == (8.0, 6.0)
    assert found.longest.ends == ((1.0, 5.0, 0.0), (9.0, 5.0, 0.0))
    assert set(found.short.ends) == {(5.0, 2.0, 0.0), (5.0, 8.0, 0.0)}
