"""Input of networks on slices: grey pictures of one size, and triplets of them. Imports torch when called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.intensity import percentile_window, to_uint8
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.image_kind import ImageKind
from datasets.study.protocol import Modality
from datasets.study.triplets import triplet_indices
from training.inputs.intensity_rules import CT_WINDOW_HU

PET_WINDOW_SUV = (0.0, 10.0)
"""Uptake above it is tumour, brain or bladder all the same; a percentile would move with how much of them is seen."""


@dataclass(frozen=True)
class PictureRule:
    """How volumes become the network's pictures; stored in the model package.

    Args:
        input_size: Side of the square that every slice is resized to; the aspect is not kept (MSTT-199).
        low_percentile: Lower end of the grey window, in percent of all voxels of the volume (MSTT-199).
        high_percentile: Upper end of the grey window.

    Raises:
        RejectedInput: A value is out of range.
    """

    input_size: int = 256
    low_percentile: float = 0.5
    high_percentile: float = 99.5

    def __post_init__(self) -> None:
        if not (16 <= self.input_size <= 1024 and 0.0 <= self.low_percentile < self.high_percentile <= 100.0):
            raise RejectedInput(
                "picture-rule",
                "The picture size must lie between 16 and 1024, and the percentiles must rise from 0 to 100.",
                remedy="Correct the settings, or restore the model package.",
            )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "PictureRule":
        """The rule that a package's parameters hold."""
        return cls(**{name: parameters[name] for name in cls.__dataclass_fields__})


def grey_volume(volume: Volume, rule: PictureRule, kind: str) -> NDArray[np.uint8]:
    """A volume in 8 bits of grey, on its grid.

    Args:
        volume: The image; CT in HU, PET in SUV.
        rule: The grey window of MR images.
        kind: Of the image (`datasets.study.image_kind`); CT and PET have windows of their own.
    """
    match ImageKind.from_word(kind).modality:
        case Modality.CT:
            window = CT_WINDOW_HU
        case Modality.PET:
            window = PET_WINDOW_SUV
        case _:
            window = percentile_window(volume.data, low=rule.low_percentile, high=rule.high_percentile)
    return to_uint8(volume.data, window=window)


def plane_stack(greys: Sequence[NDArray[np.uint8]], pictures: PicturePlane, size: int) -> NDArray[np.uint8]:
    """All slices of some grey volumes as pictures of the network's size.

    Args:
        greys: On the grid of the pictures, from `grey_volume`.
        pictures: Its slices.
        size: Side of a picture.

    Returns:
        uint8 (images, count, size, size); resized bilinearly, with antialiasing where the slice is larger.
    """
    resized = [resized_stack(pictures.stack(grey).astype(np.float32), (size, size)) for grey in greys]
    return np.stack([np.rint(np.clip(each, 0.0, 255.0)).astype(np.uint8) for each in resized])


def grey_stack(volume: Volume, pictures: PicturePlane, rule: PictureRule, kind: str) -> NDArray[np.uint8]:
    """All slices of a volume as grey pictures of the network's size: uint8 (count, size, size)."""
    stack: NDArray[np.uint8] = plane_stack([grey_volume(volume, rule, kind)], pictures, rule.input_size)[0]
    return stack


def triplets(stack: NDArray[np.uint8], indices: Sequence[int]) -> NDArray[np.float32]:
    """The network's input for some slices.

    Args:
        stack: uint8 (images, count, size, size), from `plane_stack`.
        indices: N slices.

    Returns:
        float32 (N, 3 * images, size, size) in 0..1: the first image at z-1, z, z+1, then the next; beyond the first and
        the last slice the edge slice stands in (MSTT-199).
    """
    chosen = stack[:, triplet_indices(indices, stack.shape[1])]
    ordered = chosen.transpose(1, 0, 2, 3, 4).reshape(len(indices), -1, *stack.shape[2:])
    return np.ascontiguousarray(ordered, dtype=np.float32) / np.float32(255.0)


def resized_stack(pictures: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Pictures (N, height, width) resized bilinearly to (N, *shape), with antialiasing where they shrink."""
    import torch
    from torch.nn import functional

    images = torch.from_numpy(np.ascontiguousarray(pictures))[:, None]
    resized: NDArray[np.float32] = functional.interpolate(
        images, size=shape, mode="bilinear", antialias=True, align_corners=False
    )[:, 0].numpy()
    return resized
