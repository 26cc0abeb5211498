"""LiteMedSAM as an automatic network: slices of any images in, an adapter before it, the whole picture as its box.

Imports torch and transformers: import this module only where a network is built.

Source: Reasat et al., MSTT-199. Its adapter gets no gradient and stays random, since its encoder runs without; here it
learns, and begins as the mean of the centre slices.
"""

import torch
from torch import Tensor, nn

from training.networks.lite_medsam import IMAGE_SIZE, LiteMedSam
from training.networks.sam_boxes import decode_whole_pictures

_KERNEL = 7

_COLOURS = 3


class MedSamAutomatic(nn.Module):
    """The network.

    Args:
        images: How many images it sees, each as three neighbouring slices.
        trains_encoder: Whether the image encoder learns; without, gradients flow through it to the adapter.
        trains_adapter: Whether the adapter learns; without, it stays random, as MSTT-199's does.
    """

    def __init__(self, images: int, *, trains_encoder: bool = True, trains_adapter: bool = True) -> None:
        super().__init__()
        self.adapter = nn.Conv2d(_COLOURS * images, _COLOURS, _KERNEL, padding=_KERNEL // 2, bias=False)
        self.medsam = LiteMedSam()
        self.medsam.image_encoder.requires_grad_(trains_encoder)
        self.adapter.requires_grad_(trains_adapter)
        # The positional encoding and the embeddings of other prompts are never learned from whole pictures.
        self.medsam.prompt_encoder.requires_grad_(False)
        if trains_adapter:
            _begin_as_mean(self.adapter)

    def forward(self, pictures: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Draws pictures (B, 3 * images, 256, 256) in 0..1.

        Returns:
            Logits (B, 1, 256, 256); in training also the network's own estimate of each mask's IoU (B,).
        """
        embedding = self.medsam.embed(self.adapter(pictures))
        logits, quality = decode_whole_pictures(
            self.medsam.prompt_encoder, self.medsam.mask_decoder, embedding, side=IMAGE_SIZE
        )
        return (logits, quality) if self.training else logits

    def train(self, mode: bool = True) -> "MedSamAutomatic":
        """Training mode; the statistics of the batch normalisations stay as published, since batches are small."""
        super().train(mode)
        for module in self.medsam.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


@torch.no_grad()
def _begin_as_mean(adapter: nn.Conv2d) -> None:
    """Makes each colour the mean of the images' centre slices."""
    images = adapter.in_channels // _COLOURS
    adapter.weight.zero_()
    adapter.weight[:, 1::_COLOURS, _KERNEL // 2, _KERNEL // 2] = 1.0 / images
