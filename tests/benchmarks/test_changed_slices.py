"""Exactly the slices that differ are named, whatever the axis and the order in memory."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.changed_slices import changed_slices
from datasets.errors import GeometryError

SHAPE = (9, 7, 11)


def masks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    before = random.random(SHAPE) < 0.3
    after = before.copy()
    for _ in range(3):
        voxel = tuple(random.integers(0, SHAPE))
        after[voxel] = not after[voxel]
    return before, after


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("seed", range(5))
def test_exactly_those_that_differ(axis: int, order: tuple[int, int, int], seed: int) -> None:
    before, after = masks(seed)
    expected = [n for n in range(SHAPE[axis]) if (before.take(n, axis) != after.take(n, axis)).any()]
    laid_out = np.ascontiguousarray(after.transpose(order)).transpose(np.argsort(order))
    assert changed_slices(before, laid_out, axis) == tuple(expected)
    assert expected


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_first_answer_names_what_is_drawn(axis: int) -> None:
    after = np.zeros(SHAPE, dtype=bool)
    assert changed_slices(None, after, axis) == ()
    after[2:4, 3, 5:8] = True
    assert changed_slices(None, after, axis) == ((2, 3), (3,), (5, 6, 7))[axis]
    assert changed_slices(None, after, axis) == changed_slices(np.zeros_like(after), after, axis)


def test_nothing_changed() -> None:
    before, _ = masks(0)
    assert changed_slices(before, before.copy(), 2) == ()


def test_one_voxel_thick() -> None:
    before, after = np.zeros((5, 4, 1), dtype=bool), np.zeros((5, 4, 1), dtype=bool)
    after[3, 2, 0] = True
    assert [changed_slices(before, after, axis) for axis in range(3)] == [(3,), (2,), (0,)]


def test_other_shapes_are_refused() -> None:
    with pytest.raises(GeometryError, match="mask-shapes"):
        changed_slices(np.zeros((2, 3, 4), dtype=bool), np.zeros((2, 3, 5), dtype=bool), 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_large_volume_takes_little_time(axis: int, tell_figure: Callable[[str], None]) -> None:
    before = np.zeros((512, 512, 100), dtype=bool)
    after = before.copy()
    after[200:300, 200:300, 40:60] = True
    started = time.perf_counter()
    found = changed_slices(before, after, axis)
    taken = time.perf_counter() - started
    assert len(found) == (100, 100, 20)[axis]
    tell_figure(f"Changed slices of 512 x 512 x 100 along axis {axis}: {1e3 * taken:.0f} ms")
    assert taken < 1.0
