"""The networks on slices by their names: three neighbouring slices of each image in, one logit a pixel out.

Imports torch and MONAI: import this module only where a network is built.
"""

from collections.abc import Sequence
from enum import StrEnum

from torch import nn

from training.networks.unet25d import unet25d


class SliceNetwork(StrEnum):
    """A network on slices."""

    RESIDUAL = "residual"
    """A small residual U-Net, which two processor cores train."""

    SE_RESNEXT50 = "se-resnext50"
    """A U-Net with an SE-ResNeXt50 encoder (MSTT-199)."""

    LITE_MEDSAM = "lite-medsam"
    """LiteMedSAM behind an adapter, its box around the whole picture (MSTT-199)."""


def slice_network(kind: SliceNetwork, *, images: int, widths: Sequence[int]) -> nn.Module:
    """A network with random weights.

    Args:
        kind: Which.
        images: How many images it sees.
        widths: Channels of the levels of a residual U-Net.
    """
    if kind is SliceNetwork.SE_RESNEXT50:
        from training.networks.se_resnext_unet import SeResNextUNet

        return SeResNextUNet(3 * images)
    if kind is SliceNetwork.LITE_MEDSAM:
        from training.networks.medsam_automatic import MedSamAutomatic

        return MedSamAutomatic(images)
    return unet25d(widths, images=images)


def halvings(kind: SliceNetwork, widths: Sequence[int]) -> int:
    """How often a network halves its pictures: their side is a multiple of two to this power."""
    return {SliceNetwork.SE_RESNEXT50: 5, SliceNetwork.LITE_MEDSAM: 8}.get(kind, len(widths) - 1)
