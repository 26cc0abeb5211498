"""An array brought to a canvas: linear where it becomes finer, averaged where it becomes coarser, in any shape."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from training.inputs.canvas import resized


def by_matrices(data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The same as a product with one full matrix of triangles an axis."""
    found = np.asarray(data, dtype=np.float64)
    for axis, wanted in enumerate(shape):
        size = found.shape[axis]
        centres = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0, size - 1)
        reach = max(size / wanted, 1.0)
        matrix = np.maximum(1.0 - np.abs(np.arange(size)[None] - centres[:, None]) / reach, 0.0)
        matrix /= matrix.sum(axis=1, keepdims=True)
        found = np.moveaxis(np.tensordot(matrix, found, axes=(1, axis)), 0, axis)
    return found


@pytest.mark.parametrize("seed", range(25))
def test_as_the_product_with_full_matrices(seed: int) -> None:
    random = np.random.default_rng(seed)
    axes = int(random.integers(2, 4))
    size, wanted = (tuple(int(each) for each in random.integers(1, 40, axes)) for _ in range(2))
    data = random.standard_normal(size)[(slice(None, None, -1),) * axes]
    answer = resized(data, wanted)
    assert (answer.shape, answer.dtype, answer.flags.c_contiguous) == (wanted, np.float32, True)
    np.testing.assert_allclose(answer, by_matrices(data, wanted), atol=2e-6)


def test_one_size_up_is_linear_interpolation() -> None:
    data = np.random.default_rng(0).standard_normal((9, 1))
    centres = (np.arange(30) + 0.5) * 9 / 30 - 0.5
    np.testing.assert_allclose(resized(data, (30, 1))[:, 0], np.interp(centres, np.arange(9), data[:, 0]), atol=1e-6)


def test_a_constant_stays_and_the_array_too() -> None:
    data = np.full((31, 17, 5), 3.25)
    np.testing.assert_allclose(resized(data, (7, 40, 5)), 3.25, rtol=1e-6)
    same = np.ones((4, 4), dtype=np.float32)
    same[0, 0] = 2.0
    np.testing.assert_array_equal(resized(same, (4, 4)), same)


def test_a_tumours_region_takes_milliseconds(tell_figure: Callable[[str], None]) -> None:
    data = np.random.default_rng(0).standard_normal((110, 95, 55)).astype(np.float32)
    taken = []
    for _ in range(7):
        started = time.perf_counter()
        resized(data, (64, 64, 48))
        taken.append(time.perf_counter() - started)
    tell_figure(f"110 x 95 x 55 brought to 64 x 64 x 48: {1e3 * float(np.median(taken)):.1f} ms")
    assert np.median(taken) < 0.1
