"""Percentile windows and grey values."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets.errors import RejectedInput
from datasets.image.intensity import (
    WINDOW_NAMES,
    WINDOW_PRESETS,
    FixedWindow,
    Preset,
    WindowPreset,
    drawing_window,
    percentile_window,
    percentile_windows,
    preset_from,
    presets_of,
    to_uint8,
    windows_of,
)


def test_window_of_all_voxels() -> None:
    assert percentile_window(np.arange(1001)) == pytest.approx((5.0, 995.0))
    assert percentile_window(np.arange(101), low=0, high=100) == (0.0, 100.0)


def test_window_of_the_foreground_only() -> None:
    data = np.concatenate([np.zeros(9000), np.arange(1, 1002)])
    assert percentile_window(data, foreground_only=True) == pytest.approx((6.0, 996.0))
    assert percentile_window(data)[0] == 0.0


def test_one_wild_voxel_does_not_open_the_window() -> None:
    data = np.append(np.arange(1001.0), 1e9)
    assert percentile_window(data)[1] < 1000


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e5])
def test_a_constant_image_has_a_window(value: float) -> None:
    lower, upper = percentile_window(np.full((3, 3), value), foreground_only=True)
    assert (lower, upper) == (value, value + 1.0)


@pytest.mark.parametrize("data", [np.full(4, np.nan), np.array([np.inf, -np.inf]), np.array([])])
def test_nothing_finite_still_has_a_window(data: np.ndarray) -> None:
    assert percentile_window(data) == (0.0, 1.0)


def test_grey_values_by_hand() -> None:
    grey = to_uint8(np.array([-5.0, 0.0, 50.0, 100.0, 1e9, np.nan, np.inf, -np.inf]), window=(0.0, 100.0))
    assert grey.dtype == np.uint8
    assert grey.tolist() == [0, 0, 128, 255, 255, 0, 255, 0]


@given(
    arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32)),
    st.floats(-1000, 1000),
    st.floats(0.5, 1000),
)
def test_grey_values_keep_the_order(data: np.ndarray, lower: float, width: float) -> None:
    finite = np.sort(data[np.isfinite(data)])
    grey = to_uint8(finite, window=(lower, lower + width)).astype(int)
    assert (np.diff(grey) >= 0).all()
    assert to_uint8(data, window=(lower, lower + width)).shape == data.shape


@given(arrays(np.float32, st.integers(0, 30), elements=st.floats(-(2.0**100), 2.0**100, width=32)), st.booleans())
def test_a_window_is_never_empty(data: np.ndarray, foreground_only: bool) -> None:
    lower, upper = percentile_window(data, foreground_only=foreground_only)
    assert lower < upper


def test_several_windows_are_those_of_one_at_a_time() -> None:
    data = np.random.default_rng(0).gamma(2.0, 100.0, (30, 20, 10)).astype(np.float32)
    pairs = [preset.percentiles for preset in WINDOW_PRESETS]
    assert percentile_windows(data, pairs) == tuple(percentile_window(data, low=low, high=high) for low, high in pairs)
    standard, bright, wide = percentile_windows(data, pairs)
    assert wide == (data.min(), data.max())
    assert bright[1] < standard[1] < wide[1]
    dark = np.array([np.percentile(data, 20.0)])
    assert to_uint8(dark, window=bright) > to_uint8(dark, window=standard) > to_uint8(dark, window=wide)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("Wide", 0, 100), ("../up", 0, 100), ("", 0, 100), ("wide", 50, 50), ("wide", -1, 99), ("wide", 1, float("nan"))],
)
def test_an_unsound_preset_is_refused(name: str, low: float, high: float) -> None:
    with pytest.raises(RejectedInput) as caught:
        WindowPreset(name, low, high)
    assert caught.value.code == "window-preset"


def test_windows_of_ct_and_pet_have_units_by_hand() -> None:
    """Centre 40 and width 400 run from -160 to 240 HU; bone 400 and 1800; lung -600 and 1500."""
    data = np.linspace(-1000, 3000, 50)
    ct = dict(zip([preset.name for preset in presets_of("CT")], windows_of(data, presets_of("CT")), strict=True))
    assert ct == {"standard": (-160, 240), "bone": (-500, 1300), "lung": (-1350, 150)}
    pet = dict(zip([preset.name for preset in presets_of("PT")], windows_of(data, presets_of("PT")), strict=True))
    assert pet == {"standard": (0, 10), "bright": (0, 5), "wide": (0, 20)}


@pytest.mark.parametrize("modality", ["MR", ""])
def test_windows_of_mr_are_percentiles_as_ever(modality: str) -> None:
    data = np.random.default_rng(1).normal(size=(5, 6, 7)).astype(np.float32)
    assert presets_of(modality) == WINDOW_PRESETS
    expected = percentile_windows(data, [preset.percentiles for preset in WINDOW_PRESETS])
    assert windows_of(data, presets_of(modality)) == expected
    assert drawing_window(data, modality=modality) == expected[0]


def test_fixed_windows_and_percentiles_keep_their_order() -> None:
    data = np.arange(101.0)
    presets = (WindowPreset("a", 0, 100), FixedWindow("b", -1, 1), WindowPreset("c", 10, 90))
    assert windows_of(data, presets) == ((0, 100), (-1, 1), (10, 90))
    assert windows_of(data, presets[1:2]) == ((-1, 1),)


def test_soft_tissue_is_grey_in_the_window_for_drawing() -> None:
    """Fat at -100 HU is (60 / 400) x 255 = 38, muscle at 50 HU (210 / 400) x 255 = 134; air is black, bone white."""
    grey = to_uint8(np.array([-1000.0, -100, 50, 1000]), window=drawing_window(np.zeros(1), modality="CT"))
    assert grey.tolist() == [0, 38, 134, 255]


@pytest.mark.parametrize("modality", ["MR", "CT", "PT"])
def test_the_window_for_drawing_has_one_name_and_names_are_a_presets_own(modality: str) -> None:
    names = [preset.name for preset in presets_of(modality)]
    assert names[0] == WINDOW_NAMES[0] == "standard"
    assert len(set(names)) == len(names)
    assert set(names) <= set(WINDOW_NAMES)


@pytest.mark.parametrize("preset", [*presets_of("MR"), *presets_of("CT"), *presets_of("PT")])
def test_presets_come_back_from_plain_values(preset: Preset) -> None:
    assert preset_from(asdict(preset)) == preset


@pytest.mark.parametrize(
    ("name", "lower", "upper"),
    [("Soft Tissue", 0, 1), ("../up", 0, 1), ("soft", 1, 1), ("soft", 2, 1), ("soft", 0, np.inf)],
)
def test_a_fixed_window_without_a_name_or_rising_values_is_refused(name: str, lower: float, upper: float) -> None:
    with pytest.raises(RejectedInput) as caught:
        FixedWindow(name, lower, upper)
    assert caught.value.code == "window-preset"
