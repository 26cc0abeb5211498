"""TinyViT as LiteMedSAM uses it: a small hierarchical vision transformer that keeps a quarter of the resolution.

Modules are named after the published checkpoint, so that its tensors load without renaming. Imports torch: import this
module only where a network is built.

Source: Wu et al., TinyViT, ECCV 2022 (arXiv 2207.10666); its LiteMedSAM form: Ma et al., bowang-lab/MedSAM.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_MERGE_WITHOUT_STRIDE = (320, 448, 576)
"""A merge into one of these widths keeps the resolution (MobileSAM's rule, kept by LiteMedSAM)."""


class ConvNorm(nn.Sequential):
    """A convolution without bias and its batch normalisation."""

    def __init__(self, width_in: int, width_out: int, size: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        convolution = nn.Conv2d(width_in, width_out, size, stride=stride, padding=size // 2, groups=groups, bias=False)
        self.add_module("c", convolution)
        self.add_module("bn", nn.BatchNorm2d(width_out))


class PatchEmbed(nn.Module):
    """Two pixel-wise convolutions; LiteMedSAM does not down-sample here, other TinyViTs do."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(width_in, width // 2), nn.GELU(), ConvNorm(width // 2, width))

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, H, W) to (B, width, H, W)."""
        return self.seq(image)


class InvertedResidual(nn.Module):
    """Expand, depth-wise convolution, project, add (MobileNet's inverted residual)."""

    def __init__(self, width: int, *, expansion: int) -> None:
        super().__init__()
        hidden = width * expansion
        self.conv1 = ConvNorm(width, hidden)
        self.conv2 = ConvNorm(hidden, hidden, 3, groups=hidden)
        self.conv3 = ConvNorm(hidden, width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) to the same shape."""
        hidden = functional.gelu(self.conv1(features))
        hidden = functional.gelu(self.conv2(hidden))
        return functional.gelu(features + self.conv3(hidden))


class Merge(nn.Module):
    """Step to the next stage: another width and, but for some widths, half the resolution."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        stride = 1 if width_out in _MERGE_WITHOUT_STRIDE else 2
        self.conv1 = ConvNorm(width_in, width_out)
        self.conv2 = ConvNorm(width_out, width_out, 3, stride=stride, groups=width_out)
        self.conv3 = ConvNorm(width_out, width_out)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width_in, H, W) to (B, width_out, H / stride, W / stride)."""
        hidden = functional.gelu(self.conv1(features))
        return self.conv3(functional.gelu(self.conv2(hidden)))


def offset_indices(size: int) -> Tensor:
    """Which learned bias belongs to each pair of tokens of a square window.

    Returns:
        int64 (size², size²): number of the absolute offset (rows, columns), counted in the order in which offsets first
        occur, which for a square window is rows * size + columns.
    """
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    rows, columns = row.flatten(), column.flatten()
    return (rows[:, None] - rows).abs() * size + (columns[:, None] - columns).abs()


class WindowAttention(nn.Module):
    """Self-attention among the tokens of one window, with a learned bias for every offset."""

    offsets: Tensor

    def __init__(self, width: int, *, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        self.register_buffer("offsets", offset_indices(window), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, width) to the same shape; N is the window's number of tokens."""
        batch, count, width = tokens.shape
        heads = self.qkv(self.norm(tokens)).view(batch, count, self.heads, -1).transpose(1, 2)
        query, key, value = heads.chunk(3, dim=-1)
        bias = self.attention_biases[:, self.offsets]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


class Perceptron(nn.Module):
    """Normalise, widen, narrow."""

    def __init__(self, width: int, *, expansion: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, width * expansion)
        self.fc2 = nn.Linear(width * expansion, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) to the same shape."""
        return self.fc2(functional.gelu(self.fc1(self.norm(tokens))))


class WindowBlock(nn.Module):
    """Window attention, a depth-wise convolution across the windows' borders, and a perceptron."""

    def __init__(self, width: int, *, heads: int, window: int, expansion: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads=heads, window=window)
        self.mlp = Perceptron(width, expansion=expansion)
        self.local_conv = ConvNorm(width, width, 3, groups=width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) to the same shape; H and W need not be whole numbers of windows."""
        features = self.local_conv(features + self._attended(features))
        tokens = features.permute(0, 2, 3, 1)
        return (tokens + self.mlp(tokens)).permute(0, 3, 1, 2)

    def _attended(self, features: Tensor) -> Tensor:
        batch, width, height, breadth = features.shape
        side = self.window
        padded = functional.pad(features, (0, -breadth % side, 0, -height % side))
        down, across = padded.shape[2] // side, padded.shape[3] // side
        windows = padded.view(batch, width, down, side, across, side).permute(0, 2, 4, 3, 5, 1)
        mixed = self.attn(windows.reshape(-1, side * side, width))
        mixed = mixed.view(batch, down, across, side, side, width).permute(0, 5, 1, 3, 2, 4)
        return mixed.reshape(padded.shape)[:, :, :height, :breadth]


class Stage(nn.Module):
    """Blocks of one width, then the step to the next stage (none after the last)."""

    def __init__(self, blocks: Sequence[nn.Module], *, merge: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = merge

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) to the next stage's width and resolution."""
        for block in self.blocks:
            features = block(features)
        return features if self.downsample is None else self.downsample(features)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels at every pixel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) to the same shape."""
        tokens = features.permute(0, 2, 3, 1)
        return functional.layer_norm(tokens, self.weight.shape, self.weight, self.bias, 1e-6).permute(0, 3, 1, 2)


class TinyViT(nn.Module):
    """The image encoder of LiteMedSAM.

    Args:
        channels: Channels of the picture.
        widths: Channels of the four stages.
        depths: Blocks of the four stages; the first stage is convolutional.
        heads: Attention heads of the four stages; the first is not used.
        windows: Side of the attention windows of the four stages; the first is not used.
        expansion: How much wider a block is inside.
        width_out: Channels of the embedding.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        widths: Sequence[int] = (64, 128, 160, 320),
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (2, 4, 5, 10),
        windows: Sequence[int] = (7, 7, 14, 7),
        expansion: int = 4,
        width_out: int = 256,
    ) -> None:
        super().__init__()
        merges = [Merge(narrow, wide) for narrow, wide in pairwise(widths)]
        first = Stage([InvertedResidual(widths[0], expansion=expansion) for _ in range(depths[0])], merge=merges[0])
        later = [
            Stage(
                [
                    WindowBlock(widths[at], heads=heads[at], window=windows[at], expansion=expansion)
                    for _ in range(depths[at])
                ],
                merge=merges[at] if at < len(merges) else None,
            )
            for at in range(1, len(widths))
        ]
        self.patch_embed = PatchEmbed(channels, widths[0])
        self.layers = nn.ModuleList([first, *later])
        self.neck = nn.Sequential(
            nn.Conv2d(widths[-1], width_out, 1, bias=False),
            ChannelNorm(width_out),
            nn.Conv2d(width_out, width_out, 3, padding=1, bias=False),
            ChannelNorm(width_out),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Embeds pictures.

        Args:
            image: float (B, channels, H, W), values 0..1, H and W divisible by 4.

        Returns:
            float (B, width_out, H / 4, W / 4).
        """
        features = self.patch_embed(image)
        for stage in self.layers:
            features = stage(features)
        return self.neck(features)
