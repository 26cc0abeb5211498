"""Intensity rules of the prompted methods: how a volume's intensities are normalised for a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from datasets.study.image_kind import ImageKind
from datasets.study.protocol import Modality
from training.inputs.canvas import Picture, Region, Shape, resized

CT_WINDOW_HU = (-200.0, 200.0)
"""Becomes -1..1 (2S-ICR, section 4.1)."""

LIMIT = 5.0
"""Standard deviations beyond which a z-score is cut, so that a bright vessel or a metal artefact does not dominate."""


LOOKED_AT = 20_000_000
"""Most voxels from which mean and deviation are taken: those of a 270 x 270 x 270 volume."""


class IntensityRule(StrEnum):
    """How intensities become network input; stored in the model package, channel by channel."""

    FOREGROUND_ZSCORE = "foreground-zscore"
    """MR: z-score over the voxels that are not zero (InteractiveNet)."""

    ZSCORE = "zscore"
    """PET: z-score over all voxels (2S-ICR)."""

    CT_WINDOW = "ct-window"
    """CT: `CT_WINDOW_HU` becomes -1..1 (2S-ICR)."""


_RULES = {
    Modality.MR: IntensityRule.FOREGROUND_ZSCORE,
    Modality.CT: IntensityRule.CT_WINDOW,
    Modality.PET: IntensityRule.ZSCORE,
}


def rule_of(kind: str) -> IntensityRule:
    """The rule of a kind of image (`datasets.study.image_kind`).

    Raises:
        RejectedInput: No kind has this word.
    """
    return _RULES[ImageKind.from_word(kind).modality]


@dataclass(frozen=True)
class Greys:
    """A rule applied to one image: (number - middle) / unit, cut at ±limit."""

    middle: float
    unit: float
    limit: float

    @classmethod
    def of(cls, data: NDArray[np.generic], rule: IntensityRule) -> "Greys":
        """The numbers of `rule` for an image.

        Args:
            data: Image of any shape, real; NaN and infinity are left out. Of a very large image only every second,
                third … voxel along each axis is used.
            rule: The rule.
        """
        if rule is IntensityRule.CT_WINDOW:
            low, high = CT_WINDOW_HU
            return cls((low + high) / 2, (high - low) / 2, 1.0)
        step = max(1, round((data.size / LOOKED_AT) ** (1 / max(data.ndim, 1))))
        seen = np.asarray(data[(slice(None, None, step),) * data.ndim], dtype=np.float32)
        seen = seen[np.isfinite(seen) & ((seen != 0) | (rule is IntensityRule.ZSCORE))]
        if seen.size == 0:
            return cls(0.0, 1.0, LIMIT)
        mean, deviation = float(seen.mean(dtype=np.float64)), float(seen.std(dtype=np.float64))
        return cls(mean, max(deviation, 1e-6 * max(abs(mean), 1.0)), LIMIT)

    def apply(self, data: NDArray[np.generic]) -> NDArray[np.float32]:
        """Network input, float32 of the same shape, within ±limit; NaN and infinity become the middle."""
        image = (np.asarray(data, dtype=np.float32) - np.float32(self.middle)) / np.float32(self.unit)
        return np.clip(np.nan_to_num(image, copy=False, nan=0.0), -self.limit, self.limit)


def on_canvas(
    images: Sequence[NDArray[np.generic]], greys: Sequence[Greys], region: Region, *, shape: Shape
) -> Picture:
    """A region of several images as a network sees it, (C, *shape)."""
    return np.stack(
        [grey.apply(resized(image[region.slices], shape)) for image, grey in zip(images, greys, strict=True)]
    )
