"""The grid of a case: T2 stays where it is, and pixels are as large as those of the sequence that is annotated."""

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.case import SeriesRole

SAME_WITHIN = 0.01
"""Spacings that differ by less than this share are the same: scanners print them with rounding."""

MAX_CASE_VOXELS = 2**28
"""Largest grid a case may get: 1 GiB per image as float32, six times the largest of the STS cohort."""


def case_grid(t1: Grid, t2: Grid, *, annotated: SeriesRole = SeriesRole.T2) -> Grid:
    """The grid that both images of a case are brought to, on which its pictures are drawn and its masks lie.

    Where T2 is annotated, T2's own grid: the annotated image is not interpolated at all. Where T1 is annotated (fat
    tumours), a grid over T2's field of view with T1's spacing in the axial plane and the finer spacing of the two
    across the slices, rounded to what divides the field of view into whole voxels; T2's own grid where that is the
    same. See `docs/decisions/0008-pixels-of-the-annotated-sequence.md`.

    Args:
        t1: T1's own grid, wherever it lies.
        t2: T2's own grid.
        annotated: The sequence that annotators draw on.

    Returns:
        A grid in T2's space.

    Raises:
        RejectedInput: The grid would have more than `MAX_CASE_VOXELS` voxels.
    """
    if annotated is SeriesRole.T2:
        return t2
    ours, theirs = PicturePlane.of(t2), PicturePlane.of(t1)
    wanted = list(t2.spacing)
    for our, their in ((ours.row_axis, theirs.row_axis), (ours.column_axis, theirs.column_axis)):
        wanted[our] = t1.spacing[their]
    wanted[ours.slice_axis] = min(t1.spacing[theirs.slice_axis], t2.spacing[ours.slice_axis])
    if np.allclose(wanted, t2.spacing, rtol=SAME_WITHIN, atol=0.0):
        return t2
    return divided(t2, (wanted[0], wanted[1], wanted[2]))


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
