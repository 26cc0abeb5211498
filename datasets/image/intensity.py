"""Intensity rules: how scanner numbers become grey values.

MR has no unit, so its windows are percentiles of the volume; CT is in Hounsfield units and PET in SUV, so theirs are
fixed, and the same grey means the same in every case.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class FixedWindow:
    """A grey window of values that have a unit, under a name.

    Args:
        name: As of `WindowPreset`.
        lower: Value, in HU or SUV, that becomes black.
        upper: Value that becomes white.

    Raises:
        RejectedInput: The name cannot be part of a file name, or the values do not rise.
    """

    name: str
    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not (_PRESET_NAME.fullmatch(self.name) and np.isfinite([self.lower, self.upper]).all()):
            raise _not_a_preset()
        if not self.lower < self.upper:
            raise _not_a_preset()

    @classmethod
    def around(cls, name: str, *, centre: float, width: float) -> "FixedWindow":
        """The window of this centre and width, as radiologists give them."""
        return cls(name, centre - width / 2, centre + width / 2)

    @property
    def window(self) -> Window:
        """Values that become black and white."""
        return self.lower, self.upper


def _not_a_preset() -> RejectedInput:
    return RejectedInput(
        "window-preset",
        "A window preset needs a name of up to 16 small letters and dashes, and two values that rise.",
        remedy="Correct the window preset.",
    )


Preset = WindowPreset | FixedWindow

STANDARD = WindowPreset("standard", 0.5, 99.5)
"""MSTT-199's code, over all voxels of the volume (its paper prints 0.05 and 99.95)."""

BRIGHT = WindowPreset("bright", 1.0, 90.0)
"""Opens dark regions: muscle and fascia are told apart, fat or fluid runs into white."""

WIDE = WindowPreset("wide", 0.0, 100.0)
"""The whole range: nothing runs into black or white."""

WINDOW_PRESETS = (STANDARD, BRIGHT, WIDE)
"""The windows in which pictures are exported; the first is the one that annotators draw on."""

CT_WINDOWS = (
    FixedWindow.around("standard", centre=40, width=400),
    FixedWindow.around("bone", centre=400, width=1800),
    FixedWindow.around("lung", centre=-600, width=1500),
)
"""HU: soft tissue, to draw on; bone; lung. Radiology's customary windows (Radiopaedia.org, Windowing (CT))."""

PET_WINDOWS = (
    FixedWindow("standard", 0, 10),
    FixedWindow("bright", 0, 5),
    FixedWindow("wide", 0, 20),
)
"""SUV: to draw on; opens faint uptake; very hot tumours do not run into white. Reading rules ask for a fixed scale
(Barrington et al. 2014, J Clin Oncol 32:3048, doi 10.1200/JCO.2013.53.5229); 0 to 10 is customary."""

_PRESETS: Mapping[str, tuple[Preset, ...]] = {"CT": CT_WINDOWS, "PT": PET_WINDOWS}


def presets_of(modality: str) -> tuple[Preset, ...]:
    """The windows in which images of a modality are shown; the first, always called ``standard``, is for drawing.

    Args:
        modality: As in DICOM; for ``CT`` values are in HU, for ``PT`` in SUV, and any other has no unit.
    """
    return _PRESETS.get(modality, WINDOW_PRESETS)


WINDOW_NAMES = tuple(dict.fromkeys(preset.name for one in ("MR", "CT", "PT") for preset in presets_of(one)))
"""The names of all windows, each once; the first is the one for drawing."""


def windows_of(data: NDArray[np.generic], presets: Sequence[Preset]) -> tuple[Window, ...]:
    """The intensities that become black and white in each preset; the voxels are sorted only once."""
    by_percentile = [preset for preset in presets if isinstance(preset, WindowPreset)]
    measured = iter(percentile_windows(data, [preset.percentiles for preset in by_percentile]) if by_percentile else ())
    return tuple(preset.window if isinstance(preset, FixedWindow) else next(measured) for preset in presets)


def drawing_window(data: NDArray[np.generic], *, modality: str) -> Window:
    """The window that annotators draw on, of an image of this modality."""
    [window] = windows_of(data, presets_of(modality)[:1])
    return window


def preset_from(values: Mapping[str, Any]) -> Preset:
    """The preset that `dataclasses.asdict` gave.

    Raises:
        RejectedInput: Its name or its values are none of a preset's.
        TypeError: It is of no known kind.
    """
    return FixedWindow(**values) if "lower" in values else WindowPreset(**values)


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
