"""LiteMedSAM: TinyViT as image encoder, SAM's prompt encoder and mask decoder (transformers').

Imports torch and transformers: import this module only where a network is built.

Source: Ma et al., Segment anything in medical images, Nat Commun 2024 (doi 10.1038/s41467-024-44824-z), branch
LiteMedSAM of bowang-lab/MedSAM.
"""

from torch import Tensor, nn
from transformers import SamConfig
from transformers.models.sam.modeling_sam import SamMaskDecoder, SamPromptEncoder

from training.networks.sam_boxes import DECODER_NORM_EPS, decode_boxes
from training.networks.tiny_vit import TinyViT

IMAGE_SIZE = 256
"""Side of the square picture the network takes and of the mask it gives."""

EMBEDDING_SIZE = 64
"""Side of the image embedding."""

_WIDTH = 256


class LiteMedSam(nn.Module):
    """Segments boxes: embeds a picture once, then decodes any number of boxes from its embedding."""

    def __init__(self) -> None:
        super().__init__()
        config = _sam_config()
        self.image_encoder = TinyViT(width_out=_WIDTH)
        self.prompt_encoder = SamPromptEncoder(config)
        self.mask_decoder = SamMaskDecoder(config.mask_decoder_config)

    def embed(self, pictures: Tensor) -> Tensor:
        """Image embedding (B, 256, 64, 64) of float pictures (B, 3, 256, 256) in 0..1, padded right and below by 0."""
        return self.image_encoder(pictures)

    def decode(self, embedding: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Masks of boxes on one picture.

        Args:
            embedding: float (1, 256, 64, 64), from `embed`.
            boxes: float (N, 4), x and y of the upper left and the lower right corner in pixels of the 256 picture.

        Returns:
            Logits (N, 256, 256), above 0 is inside; and the network's own estimate of each mask's IoU (N,).
        """
        return decode_boxes(self.prompt_encoder, self.mask_decoder, embedding, boxes=boxes)


def _sam_config() -> SamConfig:
    config = SamConfig(
        vision_config={"num_pos_feats": _WIDTH // 2},
        prompt_encoder_config={
            "hidden_size": _WIDTH,
            "image_size": IMAGE_SIZE,
            "patch_size": IMAGE_SIZE // EMBEDDING_SIZE,
            "mask_input_channels": 16,
        },
        mask_decoder_config={
            "hidden_size": _WIDTH,
            "layer_norm_eps": DECODER_NORM_EPS,
            "mlp_dim": 2048,
            "num_attention_heads": 8,
        },
    )
    config.mask_decoder_config._attn_implementation = "eager"
    return config
