"""Planning: spacing, canvas, kernels and strides from the training images' geometry.

Source: nnU-Net and InteractiveNet (target spacing, strides and kernels); the budget of voxels is ours, so that a tumour
of 27 cm costs no more than one of 5 cm.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.inputs.canvas import Shape
from training.networks.unet_plan import UNetPlan

ANISOTROPIC_FROM = 3.0
"""Ratio of the coarsest to the finest spacing from which a volume counts as anisotropic."""

_LEAST_EDGE = 8
"""An axis is halved only while it keeps this many voxels before the halving."""

Spacing = tuple[float, float, float]


def is_anisotropic(spacing: ArrayLike) -> bool:
    """Whether the coarsest spacing is at least `ANISOTROPIC_FROM` times the finest."""
    sizes = np.asarray(spacing)
    return bool(sizes.max() / sizes.min() >= ANISOTROPIC_FROM - 1e-6)


def target_spacing(spacings: Sequence[Spacing]) -> Spacing:
    """The median spacing; along the coarsest axis the 10th percentile where at least half the cases are anisotropic.

    Args:
        spacings: Of each training image along right, anterior and superior, in millimetres.
    """
    table = np.array(spacings, dtype=np.float64)
    found = np.median(table, axis=0)
    if np.mean([is_anisotropic(row) for row in table]) >= 0.5:
        coarsest = int(found.argmax())
        found[coarsest] = np.percentile(table[:, coarsest], 10)
    return float(found[0]), float(found[1]), float(found[2])


def canvas_shape(extent_mm: ArrayLike, spacing: Spacing, *, budget: int, divisor: Sequence[int]) -> Shape:
    """The canvas of a region: its extent in target spacing, evenly coarser where that is more voxels than the budget.

    Args:
        extent_mm: (3,) millimetres of the region's edges.
        spacing: Target spacing in millimetres.
        budget: Most voxels, before the sizes are rounded.
        divisor: Each size is rounded to a multiple of this, at least once.
    """
    sizes: NDArray[np.float64] = np.maximum(np.asarray(extent_mm) / np.asarray(spacing), 1.0)
    for _ in range(4):  # an axis that is cut off at one voxel gives its share to the others
        sizes = np.maximum(sizes * min(1.0, (budget / sizes.prod()) ** (1 / max((sizes > 1).sum(), 1))), 1.0)
    step = np.asarray(divisor)
    i, j, k = (np.maximum(np.rint(sizes / step), 1) * step).astype(int)
    return int(i), int(j), int(k)


def plan_unet(*, channels: int, widths: Sequence[int], spacing: Spacing, shape: ArrayLike, supervised: int) -> UNetPlan:
    """Strides of 2 where an axis is at most twice as coarse as the finest and long enough; kernels of 3 likewise.

    Args:
        channels: Input channels.
        widths: Channels of each level.
        spacing: Of the canvas in millimetres.
        shape: Typical canvas of the training cases.
        supervised: Heads beside the finest.
    """
    found, sizes = np.array(spacing, dtype=np.float64), np.array(shape, dtype=np.float64)
    strides, kernels = [], []
    for level in range(len(widths)):
        near = found / found.min() <= 2.0
        halved = near & (sizes >= _LEAST_EDGE) if level else np.zeros(3, dtype=bool)
        kernels.append(tuple(int(size) for size in np.where(near, 3, 1)))
        strides.append(tuple(int(step) for step in np.where(halved, 2, 1)))
        found, sizes = np.where(halved, found * 2, found), np.where(halved, sizes / 2, sizes)
    return UNetPlan(channels, tuple(widths), tuple(strides), tuple(kernels), supervised)


def coarser_spacing(spacing: Spacing, extent_mm: ArrayLike, *, budget: int) -> Spacing:
    """The spacing at which a volume has at most `budget` voxels.

    Axes less than half as coarse as the coarsest become coarser first; once none is, all do, evenly.

    Args:
        spacing: Target spacing in millimetres.
        extent_mm: (3,) millimetres of a typical volume.
        budget: Most voxels.

    Source: nnU-Net's planning of its low-resolution network.
    """
    found, extent = np.array(spacing, dtype=np.float64), np.asarray(extent_mm, dtype=np.float64)
    while np.maximum(extent / found, 1.0).prod() > budget:
        finer = found.max() / found > 2.0
        found = np.where(finer | ~finer.any(), found * _COARSER_BY, found)
    return float(found[0]), float(found[1]), float(found[2])


_COARSER_BY = 1.03
"""Step of `coarser_spacing` (nnU-Net)."""
