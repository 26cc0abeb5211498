"""Grey values: how an image's numbers are spread over all its voxels, inside a mask, and outside of it.

They are counted slice by slice in 65536 bins, so that a large image costs neither time nor memory: whole numbers of 16
bits, as scanners write them, keep their exact values, others are those of the bins' lower ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside

LEVELS = (0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995)
"""The quantiles that are kept: ends of the window that annotators draw on, 90 % of the voxels, quartiles, median."""

_BINS = 1 << 16
_DIGITS = 4


@dataclass(frozen=True)
class GreyValues:
    """Quantiles of an image at `LEVELS`, in the image's own numbers.

    Args:
        image: Of all voxels.
        inside: Of the mask's voxels; () for an empty mask.
        outside: Of all others; () where there are none.
    """

    image: tuple[float, ...]
    inside: tuple[float, ...]
    outside: tuple[float, ...]

    def as_dict(self) -> dict[str, list[float]]:
        """Plain values for JSON."""
        return {"image": list(self.image), "inside": list(self.inside), "outside": list(self.outside)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Sequence[float]]) -> "GreyValues":
        """The values that `as_dict` gave.

        Raises:
            KeyError: One is missing.
            TypeError: One is no list.
            ValueError: One is no list of as many numbers as there are levels.
        """
        found = {name: tuple(float(each) for each in value[name]) for name in ("image", "inside", "outside")}
        if any(len(each) not in (0, len(LEVELS)) for each in found.values()) or not found["image"]:
            raise ValueError
        return cls(**found)


def grey_values(data: NDArray[np.generic], inside: Inside) -> GreyValues:
    """Quantiles of an image in a mask and outside of it.

    Args:
        data: Voxels (i, j, k), finite; int16 ones keep their exact values.
        inside: The mask's voxels, of the same shape.
    """
    lower = float(data.min())
    width = 1.0 if data.dtype == np.int16 else (float(data.max()) - lower) / (_BINS - 1) or 1.0
    everywhere, within = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    for index in range(data.shape[2]):
        bins = ((data[:, :, index].astype(np.float64) - lower) / width).astype(np.intp)
        everywhere += np.bincount(bins.ravel(), minlength=_BINS)
        within += np.bincount(bins[inside[:, :, index]], minlength=_BINS)
    counted = (everywhere, within, everywhere - within)
    return GreyValues(*(_quantiles(counts, lower, width) for counts in counted))


def _quantiles(counts: NDArray[np.int64], lower: float, width: float) -> tuple[float, ...]:
    """The smallest value that at least the level's share of the voxels does not exceed."""
    below = np.cumsum(counts)
    if below[-1] == 0:
        return ()
    places = np.searchsorted(below, np.ceil(np.array(LEVELS) * below[-1]).clip(min=1))
    return tuple(round(lower + width * int(place), _DIGITS) for place in places)
