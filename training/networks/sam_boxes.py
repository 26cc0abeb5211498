"""SAM's prompt encoder and mask decoder (transformers'), as the MedSAM family uses them: boxes in, one mask each out.

Imports torch and transformers' modules: import this module only where a network is built.

Source: Kirillov et al., Segment anything, ICCV 2023 (arXiv 2304.02643).
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

DECODER_NORM_EPS = 1e-5
"""SAM's decoder normalises with torch's own epsilon; transformers' default is another."""

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

Renaming = Sequence[tuple[str, str]]
Value = TypeVar("Value")


def renamed(published: Mapping[str, Value], *, encoder: Renaming = ()) -> dict[str, Value]:
    """Tensors of a published checkpoint under transformers' names.

    Args:
        published: Tensors under segment-anything's names.
        encoder: Patterns of names of the image encoder and what they become; without them its names stay.
    """
    return {_new_name(name, (*_RENAMED, *encoder)): value for name, value in published.items()}


def _new_name(name: str, renaming: Renaming) -> str:
    for pattern, replacement in renaming:
        changed, count = re.subn(pattern, replacement, name)
        if count:
            return changed
    return name


def decode_boxes(
    prompt_encoder: nn.Module, mask_decoder: nn.Module, embedding: Tensor, *, boxes: Tensor
) -> tuple[Tensor, Tensor]:
    """Masks of boxes on one picture.

    Args:
        prompt_encoder: transformers' SamPromptEncoder.
        mask_decoder: transformers' SamMaskDecoder.
        embedding: float (1, C, h, w), from the image encoder.
        boxes: float (N, 4), x and y of the upper left and the lower right corner in pixels of the network's picture.

    Returns:
        Logits (N, 4 h, 4 w), above 0 is inside; and the network's own estimate of each mask's IoU (N,).
    """
    sparse, dense = prompt_encoder(input_points=None, input_labels=None, input_boxes=boxes[None], input_masks=None)
    masks, quality = mask_decoder(
        image_embeddings=embedding,
        image_positional_embeddings=_positions(prompt_encoder, embedding),
        # Every box is a prompt of its own: (1, N, 2, C), not one prompt of N boxes.
        sparse_prompt_embeddings=sparse.view(1, len(boxes), 2, -1),
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    return masks[0, :, 0], quality[0, :, 0]


def decode_whole_pictures(
    prompt_encoder: nn.Module, mask_decoder: nn.Module, embedding: Tensor, *, side: int
) -> tuple[Tensor, Tensor]:
    """Masks of pictures, each prompted by a box around the whole of it.

    Args:
        prompt_encoder: transformers' SamPromptEncoder.
        mask_decoder: transformers' SamMaskDecoder.
        embedding: float (B, C, h, w), from the image encoder.
        side: Of the network's picture in pixels.

    Returns:
        Logits (B, 1, 4 h, 4 w), and the network's own estimate of each mask's IoU (B,).
    """
    box = torch.tensor([0.0, 0.0, side, side], device=embedding.device, dtype=embedding.dtype)
    boxes = box.expand(embedding.shape[0], 1, 4)
    sparse, dense = prompt_encoder(input_points=None, input_labels=None, input_boxes=boxes, input_masks=None)
    masks, quality = mask_decoder(
        image_embeddings=embedding,
        image_positional_embeddings=_positions(prompt_encoder, embedding).expand(embedding.shape[0], -1, -1, -1),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    return masks[:, 0], quality[:, 0, 0]


def _positions(prompt_encoder: nn.Module, embedding: Tensor) -> Tensor:
    """Positional encoding (1, C, h, w) of the embedding's pixel centres."""
    down, across = (
        (torch.arange(size, device=embedding.device, dtype=embedding.dtype) + 0.5) / size
        for size in embedding.shape[-2:]
    )
    row, column = torch.meshgrid(down, across, indexing="ij")
    encoded: Tensor = prompt_encoder.shared_embedding(torch.stack([column, row], dim=-1))  # type: ignore[operator]
    return encoded.permute(2, 0, 1)[None]
