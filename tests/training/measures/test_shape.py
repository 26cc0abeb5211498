"""Volume, area by slice and what looks odd, on bodies whose answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.image.volume import Grid
from tests.training.support.synthetic import lps_grid
from training.measures.shape import Oddity, areas_mm2, shape_findings, shape_of

GRID = lps_grid((60, 50, 24), (1.0, 1.2, 4.0))


def ellipsoid(
    radii_mm: tuple[float, float, float],
    *,
    slant: tuple[float, float] = (0.0, 0.0),
    grid: Grid = GRID,
    shift: float = 0.0,
) -> np.ndarray:
    """An ellipsoid around the middle of a grid; its slices' middles move by `slant` mm for each mm through them."""
    i, j, k = (
        (np.arange(size) - (size - 1) / 2) * spacing for size, spacing in zip(grid.shape, grid.spacing, strict=True)
    )
    z = k - shift
    x, y = i[:, None, None] - slant[0] * z, j[None, :, None] - slant[1] * z
    return (x / radii_mm[0]) ** 2 + (y / radii_mm[1]) ** 2 + (z / radii_mm[2]) ** 2 <= 1


def kinds(inside: np.ndarray, slice_axis: int = 2, grid: Grid = GRID) -> list[tuple[str, int]]:
    return [(str(found.kind), found.slice_index) for found in shape_findings(inside, grid, slice_axis)]


BODY = ellipsoid((20.0, 18.0, 30.0))


def test_an_ellipsoid_in_numbers() -> None:
    found = shape_of(BODY, GRID, 2)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 20 * 18 * 30 / 1000, rel=0.02)
    assert found.diameters is not None
    assert found.diameters.longest.length_mm == pytest.approx(40, abs=1.6)
    assert found.diameters.short.length_mm == pytest.approx(36, abs=3.1)
    assert max(found.areas_mm2) == pytest.approx(np.pi * 20 * 18, rel=0.02)
    assert len(found.areas_mm2) == 24
    assert sum(found.areas_mm2) * 4.0 / 1000 == pytest.approx(found.volume_ml)
    assert found.findings == ()


@settings(max_examples=60, deadline=None)
@given(
    radii=st.tuples(st.floats(8, 20), st.floats(8, 18), st.floats(6, 40)),
    slant=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    shift=st.floats(-2, 2),
)
def test_no_ellipsoid_looks_odd(radii: tuple, slant: tuple, shift: float) -> None:
    assert kinds(ellipsoid(radii, slant=slant, shift=shift)) == []


def test_an_empty_mask() -> None:
    found = shape_of(np.zeros(GRID.shape, dtype=bool), GRID, 2)
    assert (found.volume_ml, found.diameters, found.findings) == (0.0, None, ())


def test_a_piece_apart() -> None:
    inside = BODY.copy()
    inside[2:4, 2:4, 12] = True
    (found,) = (each for each in shape_findings(inside, GRID, 2) if each.kind is Oddity.PIECE)
    assert (found.slice_index, found.amount) == (12, pytest.approx(4 * 4.8))
    assert inside[found.voxel]
    assert found.voxel[0] in (2, 3)


def test_a_hole_through_three_slices_is_one() -> None:
    inside = BODY.copy()
    inside[28:31, 24:26, 10:13] = False
    (found,) = shape_findings(inside, GRID, 2)
    assert (found.kind, found.amount) == (Oddity.HOLE, pytest.approx(18 * 4.8))
    assert not inside[found.voxel]


def test_a_bay_is_no_hole() -> None:
    inside = BODY.copy()
    inside[28:, 24:26, 12] = False
    assert "hole" not in dict(kinds(inside))


def test_a_missing_slice() -> None:
    inside = BODY.copy()
    inside[..., 12] = False
    (gap, piece) = sorted(shape_findings(inside, GRID, 2), key=lambda found: found.kind)
    assert (gap.kind, gap.slice_index, gap.amount) == (Oddity.GAP, 12, 1.0)
    assert gap.voxel[2] == 12
    assert BODY[gap.voxel]
    assert piece.kind is Oddity.PIECE


def test_a_slice_that_is_too_small_and_one_that_is_too_large_at_the_end() -> None:
    inside = BODY.copy()
    inside[..., 12] &= ellipsoid((8.0, 8.0, 90.0))[..., 12]
    assert kinds(inside) == [("area-jump", 12), ("area-jump", 13)]
    inside = BODY.copy()
    last = int(np.flatnonzero(BODY.any(axis=(0, 1)))[-1])
    inside[..., last] = BODY[..., 12]
    assert kinds(inside) == [("area-jump", last)]


def test_a_slice_that_was_moved() -> None:
    inside = BODY.copy()
    inside[..., 12] = np.roll(inside[..., 12], 10, axis=0)
    found = [each for each in shape_findings(inside, GRID, 2) if each.kind is Oddity.SHIFT]
    assert [each.slice_index for each in found] == [12, 13]
    assert found[0].amount == pytest.approx(10.0, abs=0.2)


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 2, 1)])
def test_slices_run_along_any_axis(order: tuple[int, int, int]) -> None:
    inside = BODY.copy()
    inside[28:31, 24:26, 10:13] = False
    inside[..., 16] = np.roll(inside[..., 16], 15, axis=0)
    axis = order.index(2)
    grid = lps_grid(tuple(GRID.shape[at] for at in order), tuple(GRID.spacing[at] for at in order))
    assert kinds(inside.transpose(order), axis, grid) == kinds(inside)
    assert np.allclose(areas_mm2(inside.transpose(order), grid, axis), areas_mm2(inside, GRID, 2))
