"""The grid of a case: T2 stays where it is, and the coarser image is brought to the finer voxels (MSTT-199)."""

import numpy as np

from datasets.errors import RejectedInput
from datasets.picture_plane import PicturePlane
from datasets.volume import Grid

FINER_BY = 0.01
"""Voxels count as finer when they are smaller by more than this share: scanners print spacings with rounding."""

MAX_CASE_VOXELS = 2**28
"""Largest grid a case may get: 1 GiB per image as float32, six times the largest of the STS cohort."""


def case_grid(t1: Grid, t2: Grid) -> Grid:
    """The grid that both images of a case are brought to.

    T2's own grid, unless T1's voxels are finer in the axial plane. Then a grid over T2's field of view: same
    directions, same outer edge, T1's spacing in the axial plane and the finer spacing of the two across the slices.
    Spacings are rounded to what divides the field of view into whole voxels.

    Args:
        t1: T1's own grid, wherever it lies.
        t2: T2's own grid.

    Returns:
        A grid in T2's space.

    Raises:
        RejectedInput: The grid would have more than `MAX_CASE_VOXELS` voxels.
    """
    wanted = list(t2.spacing)
    ours, theirs = PicturePlane.of(t2), PicturePlane.of(t1)
    axes = (
        (ours.row_axis, theirs.row_axis),
        (ours.column_axis, theirs.column_axis),
        (ours.slice_axis, theirs.slice_axis),
    )
    if not any(_finer(t1.spacing[their], t2.spacing[our]) for our, their in axes[:2]):
        return t2
    for our, their in axes:
        if _finer(t1.spacing[their], t2.spacing[our]):
            wanted[our] = t1.spacing[their]
    return divided(t2, (wanted[0], wanted[1], wanted[2]))


def divided(grid: Grid, spacing: tuple[float, float, float]) -> Grid:
    """A grid with the same directions and outer edge, and about the given spacing in millimetres along each axis.

    Raises:
        RejectedInput: It would have more than `MAX_CASE_VOXELS` voxels.
    """
    extent = np.array(grid.shape) * grid.spacing
    shape = np.maximum(1, np.rint(extent / spacing)).astype(int)
    if np.prod(shape.astype(float)) > MAX_CASE_VOXELS:
        raise RejectedInput(
            "case-grid-too-large",
            f"Expected at most {MAX_CASE_VOXELS} voxels, got {' x '.join(map(str, shape))}.",
            remedy="Crop the series to the tumour's region or resample the finer one first.",
        )
    step = np.array(grid.shape) / shape
    voxel = np.eye(4)
    voxel[:3, :3] = np.diag(step)
    voxel[:3, 3] = (step - 1.0) / 2.0
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), grid.affine @ voxel)


def _finer(one: float, other: float) -> bool:
    return one < other * (1.0 - FINER_BY)
