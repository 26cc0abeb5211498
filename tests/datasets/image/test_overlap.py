"""How much of the same body two stacks show."""

import numpy as np
import pytest

from datasets.image.overlap import overlap, share_inside, share_of_slices
from datasets.image.volume import Grid


def _grid(shape: tuple[int, int, int], spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> Grid:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return Grid(shape, affine)


LONG = _grid((10, 10, 40), (1.0, 1.0, 5.0), (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (LONG, 1.0),
        (_grid((20, 20, 80), (0.5, 0.5, 2.5), (-0.25, -0.25, -1.25)), 1.0),
        (_grid((10, 10, 8), (1.0, 1.0, 5.0), (0.0, 0.0, 40.0)), 1.0),
        (_grid((10, 10, 40), (1.0, 1.0, 5.0), (0.0, 0.0, 100.0)), 0.5),
        (_grid((10, 10, 40), (1.0, 1.0, 5.0), (0.0, 0.0, 200.0)), 0.0),
        (_grid((10, 10, 40), (-1.0, 1.0, -5.0), (9.0, 0.0, 195.0)), 1.0),
    ],
    ids=["itself", "finer", "a part", "half", "beside", "flipped"],
)
def test_overlap(other: Grid, expected: float) -> None:
    assert overlap(LONG, other) == pytest.approx(expected, abs=0.06)
    assert overlap(other, LONG) == overlap(LONG, other)


def test_a_share_is_of_the_first() -> None:
    part = _grid((10, 10, 8), (1.0, 1.0, 5.0), (0.0, 0.0, 40.0))
    assert share_inside(part, LONG) == 1.0
    assert share_inside(LONG, part) == pytest.approx(0.2, abs=0.06)


def test_slices_are_covered_whatever_the_field_of_view() -> None:
    narrow = _grid((4, 4, 8), (1.0, 1.0, 5.0), (3.0, 3.0, 40.0))
    assert share_of_slices(narrow, LONG) == 1.0
    assert share_of_slices(LONG, narrow) == pytest.approx(8 / 40)
    assert share_of_slices(LONG, _grid((10, 10, 40), (1.0, 1.0, 5.0), (0.0, 0.0, 100.0))) == pytest.approx(0.5)
    assert share_of_slices(LONG, _grid((10, 10, 40), (1.0, 1.0, -5.0), (0.0, 0.0, 195.0))) == 1.0
