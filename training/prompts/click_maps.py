"""Clicks as a picture for a network: a Gaussian spot at every click, scaled to 0..1.

DeepGrow's guidance (MONAI, `AddGuidanceSignald`): 1 at each clicked voxel, a Gaussian filter of 2 voxels, then smallest
to largest value as 0..1. One channel holds the clicks of one sign; several clicks share the maximum.

MONAI's filter is reproduced, not approximated: a tap is the Gaussian's integral over its voxel (the `erf` kernel), taps
end at 4 sigma, they are not scaled to a sum of 1, and zeros lie beyond the border. Because the filter is separable, the
map is a product of small matrices over the distinct coordinates of the clicks, which costs about one pass over the map.
"""

from math import erf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.errors import RejectedInput

CLICK_SIGMA = 2.0
"""Standard deviation of a click's spot in voxels (MONAI's DeepGrow; its DeepEdit has 3)."""

_TRUNCATION = 4.0
"""Radius of the kernel in standard deviations (MONAI's default)."""


def click_map(points: ArrayLike, shape: tuple[int, ...], *, sigma: float = CLICK_SIGMA) -> NDArray[np.float32]:
    """A network's input channel for the clicks of one sign.

    Args:
        points: Voxel indices (N, ndim), rounded to the nearest voxel (MONAI cuts the fraction off). Clicks on one voxel
            count once. Clicks outside the map are dropped: MONAI drops those below 0 and moves those beyond the end
            onto the border, where nobody clicked.
        shape: The map's shape, 1 to 3 axes.
        sigma: Standard deviation of a spot in voxels.

    Returns:
        float32 of `shape`, 0..1; zeros where no click is left. A map without contrast (one voxel, clicked) is all 1,
        where MONAI divides 0 by 0.

    Raises:
        RejectedInput: The points are no finite (N, ndim) numbers, or sigma is not a positive number.
    """
    voxels = _voxels(points, shape)
    if not np.isfinite(sigma) or sigma <= 0:
        raise RejectedInput("click-sigma", f"Expected a positive sigma, got {sigma}.", remedy="Set it to 2 voxels.")
    if len(voxels) == 0:
        return np.zeros(shape, np.float32)
    return _scaled(_smoothed(voxels, shape, sigma))


def _voxels(points: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The clicked voxels inside the map, each once."""
    indices = np.asarray(points, dtype=np.float64)
    if indices.size == 0:
        return np.empty((0, len(shape)), np.int64)
    if indices.ndim != 2 or indices.shape[1] != len(shape) or not np.isfinite(indices).all():
        raise RejectedInput(
            "click-points",
            f"Expected finite voxel indices (N, {len(shape)}), got an array {indices.shape}.",
            remedy="Give one row of indices for each click.",
        )
    nearest = np.rint(indices)
    inside = ((nearest >= 0) & (nearest < shape)).all(axis=1)
    return np.unique(nearest[inside].astype(np.int64), axis=0)


def _smoothed(voxels: NDArray[np.int64], shape: tuple[int, ...], sigma: float) -> NDArray[np.float32]:
    """The filtered impulses: a small block over the clicks' distinct coordinates, widened axis by axis."""
    coordinates, places = [], []
    for axis in range(len(shape)):
        distinct, place = np.unique(voxels[:, axis], return_inverse=True)
        coordinates.append(distinct)
        places.append(place.reshape(-1))
    block = np.zeros([len(distinct) for distinct in coordinates], np.float32)
    block[tuple(places)] = 1.0
    for distinct, length in zip(coordinates, shape, strict=True):
        # Widens the first axis and puts it last: after all axes they are in order again.
        block = np.tensordot(block, _spots(distinct, length, sigma), axes=(0, 0))
    return block


def _spots(centres: NDArray[np.int64], length: int, sigma: float) -> NDArray[np.float32]:
    """The kernel along one axis around each centre, float32 (centres, length)."""
    reach = int(max(sigma * _TRUNCATION, 0.5) + 0.5)
    edges = [erf((offset - 0.5) / (sqrt(2.0) * sigma)) for offset in range(reach + 2)]
    taps = np.zeros(max(length, reach + 1), np.float32)
    taps[: reach + 1] = 0.5 * np.diff(edges)
    return taps[np.abs(np.arange(length) - centres[:, None])]


def _scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = values.min(), values.max()
    if high <= low:
        return np.ones_like(values)
    values -= low
    values /= high - low
    return values
