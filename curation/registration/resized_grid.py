"""Grids over the same field of view with voxels of another size."""

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.volume import Grid

MAX_CASE_VOXELS = 2**28
"""Largest grid that is made: 1 GiB per image as float32, six times the largest of the STS cohort."""


def divided(grid: Grid, spacing: tuple[float, float, float]) -> Grid:
    """A grid with the same directions and outer edge, and about the given spacing in millimetres along each axis.

    Raises:
        RejectedInput: It would have more than `MAX_CASE_VOXELS` voxels.
    """
    shape = _whole_voxels(grid, spacing)
    step = np.array(grid.shape) / shape
    return _stepped(grid, shape, step)


def isotropic(grid: Grid, spacing_mm: float) -> Grid:
    """A grid with the same directions and centre and cubic voxels, over the same field of view up to half a voxel.

    Raises:
        RejectedInput: It would have more than `MAX_CASE_VOXELS` voxels.
    """
    shape = _whole_voxels(grid, (spacing_mm, spacing_mm, spacing_mm))
    return _stepped(grid, shape, spacing_mm / np.array(grid.spacing))


def _whole_voxels(grid: Grid, spacing: tuple[float, float, float]) -> NDArray[np.int64]:
    """How many voxels of about that size cover the field of view."""
    extent = np.array(grid.shape) * grid.spacing
    shape = np.maximum(1, np.rint(extent / spacing)).astype(np.int64)
    if np.prod(shape.astype(float)) > MAX_CASE_VOXELS:
        raise RejectedInput(
            "case-grid-too-large",
            f"Expected at most {MAX_CASE_VOXELS} voxels, got {' x '.join(map(str, shape))}.",
            remedy="Crop the series to the tumour's region or resample the finer one first.",
        )
    return shape


def _stepped(grid: Grid, shape: NDArray[np.int64], step: NDArray[np.float64]) -> Grid:
    """A grid about the same centre, whose voxels are `step` of the given grid's voxels apart."""
    voxel = np.eye(4)
    voxel[:3, :3] = np.diag(step)
    voxel[:3, 3] = (np.array(grid.shape) - 1.0) / 2.0 - step * (shape - 1.0) / 2.0
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), grid.affine @ voxel)
