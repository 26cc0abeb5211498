"""Canvas: a box of voxels resampled to the size of a network's input, and the network's answer resampled back.

The axes are resampled one after the other. Where the canvas is coarser than the box, each of its voxels is a weighted
mean of all it covers (a triangle as wide as two canvas voxels), so that no voxel is skipped; where it is finer, it
interpolates linearly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Shape = tuple[int, ...]

MOST_VOXELS = 1 << 25
"""Voxels of the largest canvas of a model (320 x 320 x 320): larger ones are taken for a damaged package."""

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """A box of voxels of an array of two or three axes.

    Args:
        first: Index of its first voxel along each axis.
        size: Voxels along each axis, at least 1.
    """

    first: Shape
    size: Shape

    @classmethod
    def whole(cls, shape: Sequence[int]) -> "Region":
        """All of an array of `shape`."""
        return cls((0,) * len(shape), tuple(int(size) for size in shape))

    @classmethod
    def around(
        cls,
        lower: ArrayLike,
        upper: ArrayLike,
        *,
        shape: Sequence[int],
        relaxed: float = 0.0,
        least: ArrayLike = 0,
    ) -> "Region":
        """The box from `lower` to `upper` (voxels, both inside), wider by a share of its size, cut at the border.

        Args:
            lower: First voxel.
            upper: Last voxel.
            shape: Of the array.
            relaxed: Share of the size added on every side (InteractiveNet: 0.1).
            least: Least number of voxels added on every side.
        """
        first, last = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        margin = np.maximum(np.ceil((last - first + 1) * relaxed), np.asarray(least))
        limit = np.asarray(shape) - 1
        first = np.clip(np.floor(first - margin), 0, limit).astype(int)
        last = np.clip(np.ceil(last + margin), first, limit).astype(int)
        size = last - first + 1
        return cls(tuple(int(index) for index in first), tuple(int(length) for length in size))

    @property
    def slices(self) -> tuple[slice, ...]:
        """The slices that cut the region out of an array."""
        return tuple(slice(first, first + size) for first, size in zip(self.first, self.size, strict=True))

    def on_canvas(self, voxels: ArrayLike, shape: Sequence[int]) -> NDArray[np.float64]:
        """Fractional canvas indices (N, axes) of voxels (N, axes) of the array, for a canvas of `shape`."""
        scale = np.asarray(shape) / np.asarray(self.size)
        return (np.asarray(voxels, dtype=np.float64).reshape(-1, len(self.first)) - self.first + 0.5) * scale - 0.5


def resized(data: NDArray[np.generic], shape: Sequence[int]) -> Picture:
    """An array brought to `shape`: averaged where it becomes coarser, interpolated linearly where it becomes finer.

    Args:
        data: (..., n) array of two or three axes, real.
        shape: As many sizes.

    Returns:
        float32 of `shape`.
    """
    found = np.ascontiguousarray(data, dtype=np.float32)
    # Axes that shrink go first: the rest then has less to do.
    order = sorted(range(found.ndim), key=lambda axis: shape[axis] / found.shape[axis])
    with np.errstate(invalid="ignore"):  # an infinite voxel makes its neighbours NaN
        for axis in order:
            if found.shape[axis] != shape[axis]:
                found = _along(found, axis, int(shape[axis]))
    return found


def _along(data: Picture, axis: int, wanted: int) -> Picture:
    """Resamples one axis, as a sum of a few shifted copies: a matrix product would start threads for so little."""
    sources, weights = _taps(data.shape[axis], wanted)
    beside = [1] * data.ndim
    beside[axis] = wanted
    total: Picture = data.take(sources[0], axis) * weights[0].reshape(beside)
    for source, weight in zip(sources[1:], weights[1:], strict=True):
        part = data.take(source, axis)
        part *= weight.reshape(beside)
        total += part
    return total


@lru_cache(maxsize=512)
def _taps(size: int, wanted: int) -> tuple[NDArray[np.intp], Picture]:
    """Indices and weights of the samples of each new one, (taps, wanted) each; the weights sum to 1."""
    weights = _weights(size, wanted)
    shared = weights != 0
    count = int(shared.sum(axis=1).max())
    first = np.minimum(shared.argmax(axis=1), size - count)
    sources = first[:, None] + np.arange(count)
    return np.ascontiguousarray(sources.T), np.ascontiguousarray(np.take_along_axis(weights, sources, axis=1).T)


def _weights(size: int, wanted: int) -> Picture:
    """Matrix (wanted, size) whose rows sum to 1."""
    scale = size / wanted
    reach = max(scale, 1.0)
    centres = (np.arange(wanted) + 0.5) * scale - 0.5
    distance = np.abs(np.arange(size)[None, :] - np.clip(centres, 0, size - 1)[:, None]) / reach
    weights = np.maximum(1.0 - distance, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
