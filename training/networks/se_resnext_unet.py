"""MSTT-199's network: a U-Net with an SE-ResNeXt50 (32x4d) encoder, one logit a pixel out.

Imports torch and MONAI: import this module only where a network is built. Outside the encoder, which is MONAI's, the
modules are named as in segmentation-models-pytorch, so that a checkpoint made with it fits after `renamed_encoder`.

Source: Reasat et al., MSTT-199 (segmentation-models-pytorch's Unet); Hu et al., Squeeze-and-excitation networks, CVPR
2018 (arXiv 1709.01507), as published by Cadene.
"""

import re
from collections.abc import Mapping

import torch
from monai.networks.nets import SEResNext50
from torch import Tensor, nn
from torch.nn import functional

from datasets.errors import RejectedInput

STRIDE = 32
"""A picture's side is a multiple of it."""

_ENCODED = (64, 256, 512, 1024, 2048)
"""Channels of the encoder's five stages, each at half the resolution of the one before."""

_DECODED = (256, 128, 64, 32, 16)
"""Channels of the decoder's five blocks."""

_FIRST = "layer0.conv1.weight"

_RENAMED = (
    (r"^(layer[1-4]\.\d\.conv\d)\.(\w+)$", r"\1.conv.\2"),
    (r"^(layer[1-4]\.\d)\.bn(\d)\.(\w+)$", r"\1.conv\2.adn.N.\3"),
    (r"^(layer[1-4]\.\d)\.se_module\.fc1\.(\w+)$", r"\1.se_layer.fc.0.\2"),
    (r"^(layer[1-4]\.\d)\.se_module\.fc2\.(\w+)$", r"\1.se_layer.fc.2.\2"),
    (r"^(layer[1-4]\.\d)\.downsample\.0\.(\w+)$", r"\1.project.conv.\2"),
    (r"^(layer[1-4]\.\d)\.downsample\.1\.(\w+)$", r"\1.project.adn.N.\2"),
)
"""Published names of the encoder's tensors and MONAI's for them (MONAI's own loader has the same)."""


class SeResNextUNet(nn.Module):
    """The network.

    Args:
        channels: Channels of a picture: three for each image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        encoder = SEResNext50(spatial_dims=2, in_channels=channels)
        # The classifier is no part of a U-Net.
        del encoder.last_linear, encoder.adaptive_avg_pool
        self.encoder = encoder
        self.decoder = _Decoder()
        self.segmentation_head = nn.Sequential(nn.Conv2d(_DECODED[-1], 1, 3, padding=1))
        _initialise(self.decoder, self.segmentation_head)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (B, 1, H, W) of pictures (B, channels, H, W); H and W are multiples of 32."""
        return self.segmentation_head(self.decoder(self.encoded(pictures)))

    def encoded(self, pictures: Tensor) -> list[Tensor]:
        """Features after each stage: 64, 256, 512, 1024, 2048 channels at 1/2, 1/4, 1/8, 1/16, 1/32 of the sides."""
        *begin, pool = self.encoder.layer0
        features = [nn.Sequential(*begin)(pictures)]
        deeper = pool(features[0])
        for layer in (self.encoder.layer1, self.encoder.layer2, self.encoder.layer3, self.encoder.layer4):
            deeper = layer(deeper)
            features.append(deeper)
        return features


class _Decoder(nn.Module):
    """Five blocks, each doubling the resolution; the last has no skip."""

    def __init__(self) -> None:
        super().__init__()
        deepest, *skips = _ENCODED[::-1]
        narrow = (deepest, *_DECODED[:-1])
        self.blocks = nn.ModuleList(
            _Block(channels + skip, out) for channels, skip, out in zip(narrow, (*skips, 0), _DECODED, strict=True)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        """(B, 16, H, W) of the encoder's features."""
        *skips, found = features
        for block, skip in zip(self.blocks, (*skips[::-1], None), strict=True):
            found = block(found, skip)
        return found


class _Block(nn.Module):
    """Nearest-neighbour doubling, the skip, two convolutions with batch normalisation."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolved(channels, out), _convolved(out, out)

    def forward(self, features: Tensor, skip: Tensor | None) -> Tensor:
        """(B, channels, H, W) to (B, out, 2H, 2W)."""
        doubled = functional.interpolate(features, scale_factor=2.0, mode="nearest")
        joined = doubled if skip is None else torch.cat([doubled, skip], dim=1)
        return self.conv2(self.conv1(joined))


def _convolved(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _initialise(decoder: nn.Module, head: nn.Module) -> None:
    """First weights as segmentation-models-pytorch draws them."""
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, mode="fan_in", nonlinearity="relu")
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def renamed_encoder(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's tensors under MONAI's names.

    Args:
        published: Under the published names (``layer0.conv1.weight``), or those of segmentation-models-pytorch, which
            begin with ``encoder.``; a classifier (``last_linear``) and a decoder are left out.
    """
    has_prefix = any(name.startswith("encoder.") for name in published)
    own = {name: tensor for name, tensor in published.items() if name.startswith("encoder.") or not has_prefix}
    found = {}
    for name, tensor in own.items():
        short = name.removeprefix("encoder.")
        if short.startswith("last_linear."):
            continue
        # The published squeeze is a convolution over one pixel, MONAI's a linear layer.
        found[_monai_name(short)] = tensor[:, :, 0, 0] if ".se_module." in short and tensor.ndim == 4 else tensor
    return found


def _monai_name(name: str) -> str:
    for pattern, replacement in _RENAMED:
        if (match := re.match(pattern, name)) is not None:
            return match.expand(replacement)
    return name


def put_encoder(network: SeResNextUNet, published: Mapping[str, Tensor], *, first_layer: bool = True) -> None:
    """Puts published weights into the encoder.

    Args:
        network: The network; its decoder keeps its weights.
        published: As `renamed_encoder` takes them.
        first_layer: Whether the first layer is adapted to the network's channels; without, it keeps its own random
            weights, as MSTT-199 does.

    Raises:
        RejectedInput: They are not those of an SE-ResNeXt50 (``encoder-weights``).
    """
    tensors = renamed_encoder(published)
    wanted = network.encoder.state_dict()
    # Checkpoints from before torch 0.4 do not count their batches.
    tensors = {name: wanted[name] for name in wanted if name.endswith("num_batches_tracked")} | tensors
    if _FIRST in tensors and tensors[_FIRST].ndim == 4 and tensors[_FIRST].shape[2:] == wanted[_FIRST].shape[2:]:
        adapted = adapted_first_layer(tensors[_FIRST].float(), wanted[_FIRST].shape[1])
        tensors[_FIRST] = adapted if first_layer else wanted[_FIRST]
    try:
        network.encoder.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise RejectedInput(
            "encoder-weights",
            "The weights are not those of an SE-ResNeXt50 (32x4d).",
            remedy="Give se_resnext50_32x4d-a260b3a4.pth as published, or the same tensors as safetensors.",
        ) from error


def adapted_first_layer(weight: Tensor, channels: int) -> Tensor:
    """A first layer for other channels: each has the mean of the old ones, scaled so that the sum stays.

    Args:
        weight: (out, in, 7, 7), of pictures in colour: ``in`` is 3.
        channels: Channels of the new pictures.

    Returns:
        (out, channels, 7, 7); a grey picture in all channels gives what it gave in all old ones.
    """
    return weight.mean(1, keepdim=True).repeat(1, channels, 1, 1) * (weight.shape[1] / channels)
