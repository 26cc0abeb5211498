"""Click maps equal MONAI's guidance."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from datasets.errors import RejectedInput
from training.prompts.click_maps import click_map

TOLERANCE = 1e-5


def monai_map(points: ArrayLike, shape: tuple[int, ...], sigma: float = 2.0) -> NDArray[np.float32]:
    """The map of MONAI's own transform, for an image with one channel."""
    from monai.apps.deepgrow.transforms import AddGuidanceSignald

    clicks = [[0, *point] for point in np.asarray(points).tolist()]
    done = AddGuidanceSignald(sigma=sigma)({"image": np.zeros((1, *shape), np.float32), "guidance": [clicks]})
    return np.asarray(done["image"][1])


@st.composite
def clicked(draw: st.DrawFn) -> tuple[tuple[int, ...], NDArray[np.int64]]:
    shape = tuple(draw(st.lists(st.integers(1, 40), min_size=2, max_size=3)))
    if max(shape) == 1:
        shape = (2, *shape[1:])
    count = draw(st.integers(1, 12))
    return shape, np.random.default_rng(draw(st.integers(0, 999))).integers(0, shape, (count, len(shape)))


@settings(max_examples=60, deadline=None)
@given(case=clicked(), sigma=st.sampled_from([0.1, 1.0, 2.0, 3.0]))
def test_map_equals_monai(case: tuple[tuple[int, ...], NDArray[np.int64]], sigma: float) -> None:
    shape, points = case
    theirs = monai_map(points, shape, sigma)
    if not np.isfinite(theirs).all():  # no contrast: MONAI divides 0 by 0
        assert (click_map(points, shape, sigma=sigma) == 1).all()
        return
    ours = click_map(points, shape, sigma=sigma)
    contrast = np.ptp(monai_unscaled(points, shape, sigma))
    np.testing.assert_allclose(ours, theirs, atol=max(TOLERANCE, 1e-6 / contrast))


def monai_unscaled(points: NDArray[np.int64], shape: tuple[int, ...], sigma: float) -> NDArray[np.float32]:
    """MONAI's filter alone: where all of a small map is nearly alike, scaling to 0..1 magnifies rounding."""
    import torch
    from monai.networks.layers import GaussianFilter

    impulses = np.zeros(shape, np.float32)
    impulses[tuple(points.T)] = 1.0
    return np.asarray(GaussianFilter(len(shape), sigma=sigma)(torch.from_numpy(impulses)[None, None])[0, 0].detach())


def test_single_click_has_the_kernels_values() -> None:
    """Taps are integrals over voxels, from the error function; the ninth voxel is beyond 4 sigma."""
    row = click_map([[20]], (41,))
    assert row[20] == 1
    assert row[19] == row[21] == pytest.approx(0.884777, abs=1e-5)  # (Phi(.75) - Phi(.25)) / (Phi(.25) - Phi(-.25))
    assert row[12] > 0
    assert row[11] == row[29] == 0


def test_several_clicks_share_the_maximum() -> None:
    apart = click_map([[10, 10], [40, 40]], (50, 50))
    assert apart[10, 10] == apart[40, 40] == 1
    near = click_map([[10, 10], [10, 11], [40, 40]], (50, 50))
    assert near.max() == 1
    assert near[40, 40] < 0.7


def test_no_click_and_clicks_outside_leave_zeros() -> None:
    assert not click_map([], (4, 5, 6)).any()
    assert not click_map(np.empty((0, 3)), (4, 5, 6)).any()
    assert not click_map([[-1, 0, 0], [0, 5, 0], [9, 9, 9]], (4, 5, 6)).any()
    assert click_map([], (4, 5, 6)).dtype == np.float32


def test_fractions_are_rounded_and_doubles_count_once() -> None:
    whole = click_map([[3, 4, 5]], (8, 9, 10))
    np.testing.assert_array_equal(click_map([[2.6, 4.4, 5.2], [3, 4, 5], [-0.7, 4, 5]], (8, 9, 10)), whole)


def test_one_voxel_is_all_click() -> None:
    np.testing.assert_array_equal(click_map([[0, 0, 0]], (1, 1, 1)), np.ones((1, 1, 1)))


@pytest.mark.parametrize("points", [[[1, 2]], [[np.nan, 1, 1]], [1, 2, 3], [[[1, 2, 3]]]])
def test_points_that_are_none_are_refused(points: list[object]) -> None:
    with pytest.raises(RejectedInput) as caught:
        click_map(np.array(points), (4, 5, 6))
    assert caught.value.code == "click-points"


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf])
def test_sigma_that_is_none_is_refused(sigma: float) -> None:
    with pytest.raises(RejectedInput) as caught:
        click_map([[1, 1]], (4, 5), sigma=sigma)
    assert caught.value.code == "click-sigma"


def test_ten_thousand_clicks_equal_monai_too_and_are_fast(tell_figure: Callable[[str], None]) -> None:
    shape = (64, 64, 48)
    figures = []
    for count, limit_s in [(10, 0.03), (10_000, 0.5)]:
        points = np.random.default_rng(0).integers(0, shape, (count, 3))
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            ours = click_map(points, shape)
            seconds.append(time.perf_counter() - start)
        np.testing.assert_allclose(ours, monai_map(points, shape), atol=TOLERANCE)
        assert min(seconds) < limit_s  # ten times the aim or more, for a busy machine
        figures.append(f"{count:,} clicks {min(seconds) * 1e3:.2f} ms")
    tell_figure(f"click map of 64 x 64 x 48: {', '.join(figures)}")
