"""LiteMedSAM: TinyViT as image encoder, SAM's prompt encoder and mask decoder (transformers').

Imports torch and transformers: import this module only where a network is built.

Source: Ma et al., Segment anything in medical images, Nat Commun 2024 (doi 10.1038/s41467-024-44824-z), branch
LiteMedSAM of bowang-lab/MedSAM.
"""

import re
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn
from transformers import SamConfig
from transformers.models.sam.modeling_sam import SamMaskDecoder, SamPromptEncoder

from training.networks.tiny_vit import TinyViT

IMAGE_SIZE = 256
"""Side of the square picture the network takes and of the mask it gives."""

EMBEDDING_SIZE = 64
"""Side of the image embedding."""

_WIDTH = 256

_RENAMED = (
    (
        r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$",
        "prompt_encoder.shared_embedding.positional_embedding",
    ),
    (r"^prompt_encoder\.point_embeddings\.", "prompt_encoder.point_embed."),
    (r"^prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^mask_decoder\.transformer\.layers\.(\d+)\.norm(\d)\.", r"mask_decoder.transformer.layers.\1.layer_norm\2."),
    (r"^mask_decoder\.transformer\.norm_final_attn\.", "mask_decoder.transformer.layer_norm_final_attn."),
    (r"^mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
    (r"^mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
    (r"^mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
    (r"^mask_decoder\.(output_hypernetworks_mlps\.\d|iou_prediction_head)\.layers\.0\.", r"mask_decoder.\1.proj_in."),
    (r"^mask_decoder\.(output_hypernetworks_mlps\.\d|iou_prediction_head)\.layers\.1\.", r"mask_decoder.\1.layers.0."),
    (r"^mask_decoder\.(output_hypernetworks_mlps\.\d|iou_prediction_head)\.layers\.2\.", r"mask_decoder.\1.proj_out."),
)
"""Published names of SAM's tensors and transformers' names for them; the first that fits is used."""

Value = TypeVar("Value")


def renamed(published: Mapping[str, Value]) -> dict[str, Value]:
    """Tensors of the published checkpoint under the names of `LiteMedSam`; those of the image encoder keep theirs."""
    return {_new_name(name): value for name, value in published.items()}


def _new_name(name: str) -> str:
    for pattern, replacement in _RENAMED:
        changed, count = re.subn(pattern, replacement, name)
        if count:
            return changed
    return name


class LiteMedSam(nn.Module):
    """Draws what a box holds: embed a picture once, then decode any number of boxes from its embedding."""

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
        sparse, dense = self.prompt_encoder(
            input_points=None, input_labels=None, input_boxes=boxes[None], input_masks=None
        )
        masks, quality = self.mask_decoder(
            image_embeddings=embedding,
            image_positional_embeddings=self._position(embedding),
            # Every box is a question of its own: (1, N, 2, 256), not one question with N boxes.
            sparse_prompt_embeddings=sparse.view(1, len(boxes), 2, -1),
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        return masks[0, :, 0], quality[0, :, 0]

    def _position(self, embedding: Tensor) -> Tensor:
        """Positional encoding (1, 256, 64, 64) of the embedding's pixel centres."""
        centres = (torch.arange(EMBEDDING_SIZE, device=embedding.device, dtype=embedding.dtype) + 0.5) / EMBEDDING_SIZE
        row, column = torch.meshgrid(centres, centres, indexing="ij")
        encoded = self.prompt_encoder.shared_embedding(torch.stack([column, row], dim=-1))
        return encoded.permute(2, 0, 1)[None]


def _sam_config() -> SamConfig:
    config = SamConfig(
        vision_config={"num_pos_feats": _WIDTH // 2},
        prompt_encoder_config={
            "hidden_size": _WIDTH,
            "image_size": IMAGE_SIZE,
            "patch_size": IMAGE_SIZE // EMBEDDING_SIZE,
            "mask_input_channels": 16,
        },
        # SAM's decoder normalises with torch's own epsilon, transformers' default is another.
        mask_decoder_config={"hidden_size": _WIDTH, "layer_norm_eps": 1e-5, "mlp_dim": 2048, "num_attention_heads": 8},
    )
    config.mask_decoder_config._attn_implementation = "eager"
    return config
