"""MedSAM: SAM with a plain vision transformer (ViT-B), through transformers' SamModel. Imports torch and transformers.

Source: Ma et al., Segment anything in medical images, Nat Commun 2024 (doi 10.1038/s41467-024-44824-z); Kirillov et
al., Segment anything, ICCV 2023 (arXiv 2304.02643).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn
from transformers import SamConfig, SamModel

from training.networks.sam_boxes import DECODER_NORM_EPS, decode_boxes, renamed

_DECODER_HEADS = 8
"""Attention heads of SAM's mask decoder; they cannot be read from a tensor's shape."""

_POSITIONS = "prompt_encoder.shared_embedding.positional_embedding"
_POSITIONS_AGAIN = "shared_image_embedding.positional_embedding"

_ENCODER_NAMES = (
    (r"^image_encoder\.pos_embed$", "vision_encoder.pos_embed"),
    (r"^image_encoder\.patch_embed\.proj\.", "vision_encoder.patch_embed.projection."),
    (r"^image_encoder\.blocks\.(\d+)\.norm(\d)\.", r"vision_encoder.layers.\1.layer_norm\2."),
    (r"^image_encoder\.blocks\.(\d+)\.(attn|mlp)\.", r"vision_encoder.layers.\1.\2."),
    (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
)


def as_transformers(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under segment-anything's names, as SamModel names them; it holds the positional matrix twice."""
    tensors = renamed(published, encoder=_ENCODER_NAMES)
    if _POSITIONS in tensors:
        tensors[_POSITIONS_AGAIN] = tensors[_POSITIONS].clone()
    return tensors


@dataclass(frozen=True)
class SamArchitecture:
    """The sizes of a SAM in which SAMs differ.

    Args:
        image_size: Side of the square picture in pixels.
        patch_size: Side of the encoder's patches in pixels.
        width: Channels of the encoder's blocks.
        depth: Number of blocks.
        heads: Attention heads of a block.
        mlp_width: Channels inside a block's perceptron.
        window: Side of the windows, in patches, in which most blocks attend.
        global_blocks: The blocks that attend over the whole picture.
        width_out: Channels of the embedding, and of the decoder.
        mask_channels: Channels inside the prompt encoder's mask branch.
        decoder_mlp_width: Channels inside the decoder's perceptrons.
        quality_width: Channels inside the head that estimates the IoU.
    """

    image_size: int
    patch_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    window: int
    global_blocks: tuple[int, ...]
    width_out: int
    mask_channels: int
    decoder_mlp_width: int
    quality_width: int

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "SamArchitecture":
        """The sizes, read from the tensors' shapes.

        Args:
            tensors: Under SamModel's names.

        Raises:
            KeyError, ValueError, ZeroDivisionError: They are not those of a SAM with a plain vision transformer.
        """
        width, _, patch, _ = tensors["vision_encoder.patch_embed.projection.weight"].shape
        side = tensors["vision_encoder.pos_embed"].shape[1]
        depth = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("vision_encoder.layers."))
        relative = [tensors[f"vision_encoder.layers.{block}.attn.rel_pos_h"].shape for block in range(depth)]
        reach = [(length + 1) // 2 for length, _ in relative]
        windows = {tokens for tokens in reach if tokens != side}
        mask_channels = tensors["prompt_encoder.mask_embed.conv2.weight"].shape[0]
        return cls(
            image_size=side * patch,
            patch_size=patch,
            width=width,
            depth=depth,
            heads=width // relative[0][1],
            mlp_width=tensors["vision_encoder.layers.0.mlp.lin1.weight"].shape[0],
            window=windows.pop() if windows else side,
            global_blocks=tuple(block for block, tokens in enumerate(reach) if tokens == side),
            width_out=tensors["vision_encoder.neck.conv1.weight"].shape[0],
            mask_channels=mask_channels,
            decoder_mlp_width=tensors["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
            quality_width=tensors["mask_decoder.iou_prediction_head.proj_in.weight"].shape[0],
        )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "SamArchitecture":
        """The sizes, read from a package's parameters.

        Raises:
            TypeError, ValueError, KeyError: They are incomplete, or not whole numbers above zero.
        """
        sizes = {name: value for name, value in parameters.items() if name != "global_blocks"}
        blocks = tuple(parameters["global_blocks"])
        if not all(type(value) is int and value > 0 for value in sizes.values()):
            raise ValueError("sizes")
        if not all(type(block) is int and block >= 0 for block in blocks):
            raise ValueError("blocks")
        return cls(**sizes, global_blocks=blocks)

    @property
    def parameters(self) -> dict[str, Any]:
        """Plain JSON values for a model package."""
        return asdict(self) | {"global_blocks": list(self.global_blocks)}

    @property
    def config(self) -> SamConfig:
        """transformers' description of it."""
        config = SamConfig(
            vision_config=self._vision(),
            prompt_encoder_config={
                "hidden_size": self.width_out,
                "image_size": self.image_size,
                "patch_size": self.patch_size,
                "mask_input_channels": self.mask_channels,
            },
            mask_decoder_config={
                "hidden_size": self.width_out,
                "layer_norm_eps": DECODER_NORM_EPS,
                "mlp_dim": self.decoder_mlp_width,
                "num_attention_heads": _DECODER_HEADS,
                "iou_head_hidden_dim": self.quality_width,
            },
        )
        return config

    def _vision(self) -> dict[str, Any]:
        return {
            "hidden_size": self.width,
            "output_channels": self.width_out,
            "num_hidden_layers": self.depth,
            "num_attention_heads": self.heads,
            "image_size": self.image_size,
            "patch_size": self.patch_size,
            "window_size": self.window,
            "global_attn_indexes": list(self.global_blocks),
            "num_pos_feats": self.width_out // 2,
            "mlp_dim": self.mlp_width,
        }


def medsam_vit(architecture: SamArchitecture) -> SamModel:
    """The network without its weights.

    Raises:
        ValueError, RuntimeError, ZeroDivisionError: The sizes do not go together.
    """
    return SamModel(architecture.config)


class VisionEncoder(nn.Module):
    """The image encoder alone, with one tensor as its answer."""

    def __init__(self, network: SamModel) -> None:
        super().__init__()
        self.encoder = network.vision_encoder

    def forward(self, pictures: Tensor) -> Tensor:
        """Image embedding (B, width_out, h, w) of float pictures (B, 3, image_size, image_size) in 0..1."""
        embedding: Tensor = self.encoder(pictures)[0]
        return embedding


def decode(network: SamModel, embedding: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, 4 h, 4 w) and estimated IoU (N,) of boxes (N, 4) in pixels of the network's picture."""
    return decode_boxes(network.prompt_encoder, network.mask_decoder, embedding, boxes=boxes)
