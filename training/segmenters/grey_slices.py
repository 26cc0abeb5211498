"""Slices of a volume in 8 bits, as MedSAM and LiteMedSAM were trained on them.

Source: Ma et al., Segment anything in medical images, Nat Commun 2024 (doi 10.1038/s41467-024-44824-z), preprocessing
of MR volumes: the window of the voxels above zero between two percentiles, scaled to 0..255 and truncated; of CT: the
window of soft tissue, 400 HU around 40.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.intensity import Window, percentile_window
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.protocol import Modality
from training.segmenters.segmenter import SegmentationRequest

CT_WINDOW_HU = (-160.0, 240.0)
"""The grey window of a CT, whatever the rule of the package (MedSAM's preprocessing of CT volumes)."""


@dataclass(frozen=True)
class GreyRule:
    """How a volume becomes grey values; stored in the model package.

    Args:
        low_percentile: Lower end of the grey window, in percent of the voxels used.
        high_percentile: Upper end of the grey window.
        foreground_only: Whether only voxels above zero are used.
    """

    low_percentile: float
    high_percentile: float
    foreground_only: bool

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "GreyRule":
        """The rule among a package's parameters.

        Raises:
            RejectedInput: They hold no rule, or an impossible one.
        """
        try:
            rule = cls(
                float(parameters["low_percentile"]),
                float(parameters["high_percentile"]),
                bool(parameters["foreground_only"]),
            )
            if not 0.0 <= rule.low_percentile < rule.high_percentile <= 100.0:
                raise ValueError("percentiles")
        except (KeyError, TypeError, ValueError) as error:
            raise RejectedInput(
                "package-parameters",
                "The package does not hold the rising percentiles of a grey window.",
                remedy="Convert the model again, or use the version of Maskloop that made it.",
            ) from error
        return rule


class GreySlices:
    """The slices of a request's target sequence.

    Raises:
        RejectedInput: The target sequence is missing, or there is no such slice axis.
    """

    def __init__(self, request: SegmentationRequest, rule: GreyRule) -> None:
        if request.target not in request.volumes:
            raise RejectedInput(
                "sequence-missing",
                f"The case has no image {request.target}, which is to be segmented.",
                remedy="Give the volume of this sequence.",
            )
        self._volume = request.volumes[request.target]
        self._rule = CT_WINDOW_HU if request.modality is Modality.CT else rule
        self.pictures = PicturePlane.along(self._volume.grid, request.slice_axis)

    def grey(self, index: int, *, window: Window) -> NDArray[np.uint8]:
        """Slice `index` as uint8 (height, width)."""
        return truncated_to_8_bits(self.pictures.to_picture(self._volume.data, index), window=window)

    def window(self) -> Window:
        """The grey window of the whole volume; seconds for the largest ones."""
        if not isinstance(self._rule, GreyRule):
            return self._rule
        rule = self._rule
        return percentile_window(
            self._volume.data,
            low=rule.low_percentile,
            high=rule.high_percentile,
            foreground_only=rule.foreground_only,
        )


def truncated_to_8_bits(data: NDArray[np.generic], *, window: Window) -> NDArray[np.uint8]:
    """Clips to `window`, scales it to 0..255 and drops the fraction, as published; not-a-number becomes 0.

    Pictures for people are rounded instead (`datasets.image.intensity.to_uint8`).
    """
    lower, upper = window
    clipped = np.clip(np.nan_to_num(data.astype(np.float64), nan=lower), lower, upper)
    return ((clipped - lower) / (upper - lower) * 255.0).astype(np.uint8)
