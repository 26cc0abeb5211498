"""The 2.5D U-Net: three neighbouring slices of each image in, one logit a pixel out.

Imports torch and MONAI: import this module only where a network is built.

Source: the six-channel input of MSTT-199 (Reasat et al.), which has two images; the network is MONAI's residual U-Net
with fewer parameters than MSTT-199's SE-ResNeXt50 encoder, so that two processor cores are enough.
"""

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import UNet
from torch import nn

from training.networks.example_norms import keeping_layout

NEIGHBOURS = (-1, 0, 1)
"""Slices around each one that the network sees, of each image."""


def unet25d(widths: Sequence[int], *, images: int) -> nn.Module:
    """A U-Net with a triplet of slices of each image in and one logit out.

    Args:
        widths: Channels of each level; every level but the last halves the resolution. (16, 32, 64, 128, 256) has
            1.6 million parameters with two images.
        images: How many images it sees.
    """
    return keeping_layout(UNet(**unet25d_arguments(widths, images=images)))


def unet25d_arguments(widths: Sequence[int], *, images: int) -> dict[str, Any]:
    """What MONAI's U-Net is made with, as plain values."""
    return {
        "spatial_dims": 2,
        "in_channels": images * len(NEIGHBOURS),
        "out_channels": 1,
        "channels": tuple(widths),
        "strides": (2,) * (len(widths) - 1),
        "num_res_units": 2,
    }
