"""Intensity rules: how scanner numbers become grey values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput

Window = tuple[float, float]
"""The intensities that become black and white; the first is below the second."""

_PRESET_NAME = re.compile(r"[a-z][a-z-]{0,15}")


@dataclass(frozen=True)
class WindowPreset:
    """A grey window by percentiles of all voxels of a volume, under a name.

    Args:
        name: Up to 16 small letters and dashes; part of pictures' file names.
        low: Percentile, in percent, that becomes black.
        high: Percentile that becomes white.

    Raises:
        RejectedInput: The name cannot be part of a file name, or the percentiles do not rise from 0 to 100.
    """

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (_PRESET_NAME.fullmatch(self.name) and 0.0 <= self.low < self.high <= 100.0):
            raise RejectedInput(
                "window-preset",
                "A window preset needs a name of up to 16 small letters and dashes, and rising percentiles of 0 to "
                "100.",
                remedy="Correct the window preset.",
            )

    @property
    def percentiles(self) -> tuple[float, float]:
        """Lower and upper percentile in percent."""
        return self.low, self.high


STANDARD = WindowPreset("standard", 0.5, 99.5)
"""MSTT-199's code, over all voxels of the volume (its paper prints 0.05 and 99.95)."""

BRIGHT = WindowPreset("bright", 1.0, 90.0)
"""Opens dark regions: muscle and fascia are told apart, fat or fluid runs into white."""

WIDE = WindowPreset("wide", 0.0, 100.0)
"""The whole range: nothing runs into black or white."""

WINDOW_PRESETS = (STANDARD, BRIGHT, WIDE)
"""The windows in which pictures are exported; the first is the one that annotators draw on."""


@dataclass(frozen=True)
class FixedWindow:
    """A grey window by intensities that mean the same in every image (Hounsfield units, SUV), under a name.

    Args:
        name: As of a `WindowPreset`; the first of a modality has `STANDARD`'s.
        low: Intensity that becomes black.
        high: Intensity that becomes white.
    """

    name: str
    low: float
    high: float


Preset = WindowPreset | FixedWindow

CT_WINDOWS = (
    FixedWindow(STANDARD.name, -160.0, 240.0),
    FixedWindow("bone", -500.0, 1300.0),
    FixedWindow("lung", -1350.0, 150.0),
)
"""Soft tissue, bone and lung, in Hounsfield units."""

PET_WINDOWS = (FixedWindow(STANDARD.name, 0.0, 10.0), FixedWindow("faint", 0.0, 5.0), FixedWindow("hot", 0.0, 20.0))
"""In standardised uptake values."""

_PRESETS: Mapping[str, tuple[Preset, ...]] = {"CT": CT_WINDOWS, "PT": PET_WINDOWS}

PRESET_NAMES = tuple(dict.fromkeys(one.name for one in (*WINDOW_PRESETS, *CT_WINDOWS, *PET_WINDOWS)))
"""Names of all windows, in the order in which people leaf through them."""


def presets_of(modality: str) -> tuple[Preset, ...]:
    """The windows in which pictures of a modality are exported; the first is the one that annotators draw on."""
    return _PRESETS.get(modality, WINDOW_PRESETS)


def windows_of(data: NDArray[np.generic], presets: Sequence[Preset]) -> dict[str, Window]:
    """Intensities that become black and white, by name of the preset."""
    pairs = [preset.percentiles for preset in presets if isinstance(preset, WindowPreset)]
    by_share = iter(percentile_windows(data, pairs) if pairs else ())
    return {one.name: (one.low, one.high) if isinstance(one, FixedWindow) else next(by_share) for one in presets}


def standard_window(data: NDArray[np.generic], modality: str = "MR") -> Window:
    """The window in which an image is shown where a person has no choice."""
    return windows_of(data, presets_of(modality)[:1])[STANDARD.name]


def percentile_window(
    data: NDArray[np.generic], *, low: float = 0.5, high: float = 99.5, foreground_only: bool = False
) -> Window:
    """Lower and upper intensity at two percentiles.

    Args:
        data: Image of any shape.
        low: Lower percentile in percent.
        high: Upper percentile in percent.
        foreground_only: Look at voxels above zero only (MedSAM) instead of all voxels (MSTT-199).

    Returns:
        (lower, upper) with lower < upper, also for a constant image.
    """
    [window] = percentile_windows(data, [(low, high)], foreground_only=foreground_only)
    return window


def percentile_windows(
    data: NDArray[np.generic], percentiles: Sequence[tuple[float, float]], *, foreground_only: bool = False
) -> tuple[Window, ...]:
    """`percentile_window` for several pairs of percentiles, for which the voxels are sorted only once."""
    values: NDArray[np.float32] = np.asarray(data, dtype=np.float32).ravel(order="K")
    finite = np.isfinite(values)
    if not finite.all():
        values = values[finite]
    if foreground_only and (values > 0).any():
        values = values[values > 0]
    if values.size == 0:
        return ((0.0, 1.0),) * len(percentiles)
    ends = np.percentile(values, percentiles)
    return tuple(_opened(float(lower), float(upper)) for lower, upper in ends)


def to_uint8(data: NDArray[np.generic], *, window: Window) -> NDArray[np.uint8]:
    """Clips to `window` and scales it to 0..255; not-a-number becomes 0."""
    lower, upper = window
    grey = np.array(data, dtype=np.float32)
    np.nan_to_num(grey, copy=False, nan=lower)
    np.clip(grey, lower, upper, out=grey)
    grey -= lower
    grey /= upper - lower
    grey *= 255.0
    return np.rint(grey, out=grey).astype(np.uint8)


def _opened(lower: float, upper: float) -> Window:
    """A window of a constant image is opened, so that nothing is divided by zero."""
    return (lower, upper) if upper > lower else (lower, lower + max(1.0, abs(lower) * 1e-6))
