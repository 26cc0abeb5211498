"""Extreme points that a simulated user places: InteractiveNet's six near the tumour's ends.

Source: InteractiveNet, interactivenet/experiment_planning/mimic_annotations.py. One difference: it refuses a tumour so
small that the inward move leaves the tumour's extent widened by 1 slice and 3 pixels; here the point walks back.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from training.prompts.prompt import PointMm

INWARD_VOXELS = 5
"""How far a point is moved from the tumour's end into the tumour."""

INWARD_SLICES = 1
"""The same along the coarsest axis of an anisotropic image."""


def six_points(mask: NDArray[np.bool_], spacing: ArrayLike, random: np.random.Generator) -> NDArray[np.int64]:
    """Six extreme points, just inside the tumour at both ends of the three axes.

    Each is a random voxel of the tumour's outermost plane, moved inward and walked back voxel by voxel to the first one
    in the tumour, at the latest to the voxel it came from.

    Args:
        mask: bool (i, j, k), True in the tumour.
        spacing: (3,) millimetres between voxels; the coarsest axis of an anisotropic image is the slice axis.
        random: Generator of the choices.

    Returns:
        Voxel indices (6, 3): k low, k high, j low, j high, i low, i high.

    Raises:
        RejectedInput: The mask is empty or not three-dimensional.
    """
    _require_tumour(mask)
    ends = [(axis, inward) for axis in (2, 1, 0) for inward in (1, -1)]
    moves = _moves(spacing)
    return np.array([_end_point(mask, axis, inward * moves[axis], random=random) for axis, inward in ends])


def points_mm(voxels: NDArray[np.int64], grid: Grid) -> tuple[PointMm, ...]:
    """Voxel indices (N, 3) of a grid as prompts hold them, in RAS+ millimetres."""
    return tuple((float(x), float(y), float(z)) for x, y, z in grid.to_world(voxels))


def _moves(spacing: ArrayLike) -> list[int]:
    from training.networks.planning import is_anisotropic

    moves = [INWARD_VOXELS] * 3
    if is_anisotropic(spacing):
        moves[int(np.argmax(spacing))] = INWARD_SLICES
    return moves


def _end_point(mask: NDArray[np.bool_], axis: int, move: int, *, random: np.random.Generator) -> NDArray[np.int64]:
    """A voxel of the plane at one end (the low one where `move` is positive), moved in and walked back."""
    planes = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
    end = int(planes[0] if move > 0 else planes[-1])
    candidates = np.argwhere(mask.take(end, axis=axis))
    voxel = np.insert(candidates[random.integers(len(candidates))], axis, end)
    line = mask[tuple(slice(None) if at == axis else int(voxel[at]) for at in range(3))]
    step = 1 if move > 0 else -1
    walk = range(end + move, end, -step)
    voxel[axis] = next((at for at in walk if 0 <= at < len(line) and line[at]), end)
    return voxel


def _require_tumour(mask: NDArray[np.bool_]) -> None:
    if mask.ndim != 3 or not mask.any():
        raise RejectedInput(
            "points-empty-mask",
            f"Expected a mask (i, j, k) with at least one voxel, got {np.count_nonzero(mask)} in {mask.ndim} axes.",
            remedy="Leave out cases without tumour.",
        )
