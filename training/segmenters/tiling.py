"""Tiles of a volume that overlap by half, each drawn as it is and mirrored, and blended by a Gaussian. Imports torch.

Source: nnU-Net (places and weights of the tiles, mirrored copies, mean of the networks' logits).
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import ceil

import numpy as np

from training.inputs.canvas import Picture, Shape
from training.runtime import Runtime
from training.segmenters.uncertainty import joined

_OVERLAP = 0.5
"""Share of a tile that the next one covers again."""

_GAUSSIAN = 1.0 / 8.0
"""Standard deviation of a tile's weights, as a share of its side."""


def tiled_fields(
    picture: Picture, canvas: Shape, members: Sequence[Runtime], *, mirrored: Sequence[int], with_spread: bool
) -> Picture:
    """What all networks say of the mirrored copies of a picture, as `joined` has it.

    Args:
        picture: (C, i, j, k); one smaller than a tile is laid in the middle of zeros.
        canvas: Size of a tile.
        members: The networks.
        mirrored: Axes along which mirrored copies are drawn: the copies are all their combinations.
        with_spread: Whether the fields of the uncertainty are needed.

    Returns:
        float32 (1, i, j, k) or, with the spread, (3, i, j, k); where tiles overlap, their weighted mean.
    """
    lacking = [max(wanted - size, 0) for wanted, size in zip(canvas, picture.shape[1:], strict=True)]
    margins = [(lack // 2, lack - lack // 2) for lack in lacking]
    padded = np.pad(picture, [(0, 0), *margins])
    total = np.zeros((3 if with_spread else 1, *padded.shape[1:]), dtype=np.float32)
    weight = np.zeros(padded.shape[1:], dtype=np.float32)
    weights = _tile_weights(canvas)
    for tile in tiles(padded.shape[1:], canvas):
        part = np.ascontiguousarray(padded[(slice(None), *tile)])
        total[(slice(None), *tile)] += joined(opinions(part, members, mirrored), with_spread=with_spread) * weights
        weight[tile] += weights
    total /= weight
    inner = [slice(low, size - high) for (low, high), size in zip(margins, padded.shape[1:], strict=True)]
    whole: Picture = total[(slice(None), *inner)]
    return whole


def opinions(picture: Picture, members: Sequence[Runtime], mirrored: Sequence[int]) -> Iterator[Picture]:
    """Logits (…) of each mirrored copy of a tile (C, …) by each network."""
    for number in range(1 << len(mirrored)):
        axes = tuple(axis for bit, axis in enumerate(mirrored) if number >> bit & 1)
        turned = np.ascontiguousarray(np.flip(picture, [axis + 1 for axis in axes]))[None]
        for member in members:
            yield np.flip(member(turned)[0, 0], axes)


def tiles(shape: Sequence[int], canvas: Shape) -> Iterator[tuple[slice, ...]]:
    """Tiles of a canvas's size that cover an array at least as large, evenly placed, overlapping by half or more."""
    starts = []
    for size, side in zip(shape, canvas, strict=True):
        count = 1 + ceil(max(size - side, 0) / (side * (1.0 - _OVERLAP)))
        starts.append(np.rint(np.linspace(0, size - side, count)).astype(int).tolist())
    for first in product(*starts):
        yield tuple(slice(start, start + side) for start, side in zip(first, canvas, strict=True))


@lru_cache(maxsize=8)
def _tile_weights(canvas: Shape) -> Picture:
    """A Gaussian around the middle of a tile; nowhere 0."""
    sides = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n * _GAUSSIAN)) ** 2) for n in canvas]
    weights: Picture = np.einsum("i,j,k->ijk", *sides).astype(np.float32)
    return np.maximum(weights, weights.max() * np.float32(1e-3))
