"""The 2.5D U-Net: three neighbouring slices of T1 and of T2 in, one logit a pixel out.

Imports torch and MONAI: import this module only where a network is built.

Source: the six-channel input of MSTT-199 (Reasat et al.); the network is MONAI's residual U-Net with fewer parameters
than MSTT-199's SE-ResNeXt50 encoder, so that two processor cores are enough.
"""

from collections.abc import Sequence

from monai.networks.nets import UNet

NEIGHBOURS = (-1, 0, 1)
"""Slices around each one that the network sees, of each sequence."""

INPUT_CHANNELS = 2 * len(NEIGHBOURS)
"""T1 triplet, then T2 triplet."""


def unet25d(widths: Sequence[int]) -> UNet:
    """A U-Net with six channels in and one logit out.

    Args:
        widths: Channels of each level; every level but the last halves the resolution. (16, 32, 64, 128, 256) has
            1.6 million parameters.
    """
    return UNet(
        spatial_dims=2,
        in_channels=INPUT_CHANNELS,
        out_channels=1,
        channels=tuple(widths),
        strides=(2,) * (len(widths) - 1),
        num_res_units=2,
    )
