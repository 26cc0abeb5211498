"""Resampling: a volume or a mask brought to another grid through an affine in millimetres, and grids to bring it to.

Works in voxel indices throughout, so any grid goes: oblique, left-handed, sheared. A point up to half a voxel beyond
the outermost voxel centres still belongs to the image and takes the nearest value; further out is outside.
SimpleITK is imported on first use.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.mask import Mask
from datasets.image.volume import Affine, Grid, Volume

if TYPE_CHECKING:
    import SimpleITK

MAX_CASE_VOXELS = 2**28
"""Largest grid that is made: 1 GiB per image as float32, six times the largest of the STS cohort."""

INSIDE_FROM = 0.5
"""A resampled voxel belongs to a label when the label's linearly interpolated share of it is at least this much."""


class Interpolation(StrEnum):
    """How values between voxel centres are found."""

    NEAREST = "nearest"
    LINEAR = "linear"
    CUBIC = "cubic"


def resample_volume(
    volume: Volume,
    target: Grid,
    *,
    transform: Affine | None = None,
    interpolation: Interpolation = Interpolation.LINEAR,
    outside: float = 0.0,
) -> Volume:
    """The image on another grid.

    Args:
        volume: The image; every value finite.
        target: The grid to fill.
        transform: (4, 4), a point of the target's world to the point of the volume's world that shows the same
            anatomy, both RAS+ millimetres; None where the two worlds are one.
        interpolation: How values between voxel centres are found; cubic (B-spline) may overshoot.
        outside: Value where the image does not reach; may be NaN.

    Returns:
        float32 volume on `target`.

    Raises:
        RejectedInput: The transform is not a finite, invertible affine.
    """
    values = np.asarray(volume.data, dtype=np.float32)
    source = _index_image(values)
    resampled = _resampled(source, volume.grid, target, transform=transform, how=interpolation, outside=outside)
    return Volume(resampled, target)


def resample_mask(mask: Mask, target: Grid, *, transform: Affine | None = None) -> Mask:
    """The mask on another grid: each label is interpolated linearly and kept where its share is `INSIDE_FROM` or more.

    A voxel that two labels share half and half goes to the one of the lower value; a voxel of which no label has half
    is background.

    Args:
        mask: The label map.
        target: The grid to fill.
        transform: As for `resample_volume`.

    Returns:
        Mask on `target` with the same labels.

    Raises:
        RejectedInput: The transform is not a finite, invertible affine.
    """
    data = np.zeros(target.shape, dtype=np.uint8)
    for value in sorted((int(value) for value in np.unique(mask.data) if value), reverse=True):
        source = _index_image((mask.data == value).astype(np.float32))
        share = _resampled(source, mask.grid, target, transform=transform, how=Interpolation.LINEAR, outside=0.0)
        data[share >= INSIDE_FROM] = value
    return Mask(data, target, mask.labels)


def checked_affine(transform: Affine | None) -> Affine:
    """The transform as float64; the identity for None.

    Raises:
        RejectedInput: It is not a finite, invertible (4, 4) affine.
    """
    matrix = np.eye(4) if transform is None else np.asarray(transform, dtype=np.float64)
    fit = matrix.shape == (4, 4) and np.isfinite(matrix).all() and np.array_equal(matrix[3], (0, 0, 0, 1))
    if not fit or abs(np.linalg.det(matrix)) < 1e-9:
        raise RejectedInput(
            "transform-affine",
            "The transform from the target's millimetres to the source's is no finite, invertible 4x4 affine.",
            remedy="Register the case again.",
        )
    return matrix


def _resampled(
    source: "SimpleITK.Image",
    source_grid: Grid,
    target: Grid,
    *,
    transform: Affine | None,
    how: Interpolation,
    outside: float,
) -> NDArray[np.float32]:
    """Values of `source` (voxel indices as its coordinates) at the voxels of `target`, float32 of `target.shape`."""
    import SimpleITK as sitk  # noqa: N813 (its customary name)

    kinds = {
        Interpolation.NEAREST: sitk.sitkNearestNeighbor,
        Interpolation.LINEAR: sitk.sitkLinear,
        Interpolation.CUBIC: sitk.sitkBSpline,
    }
    between = np.linalg.inv(source_grid.affine) @ checked_affine(transform) @ target.affine
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(between[:3, :3].ravel().tolist())
    affine.SetTranslation(between[:3, 3].tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(list(target.shape))
    resampler.SetTransform(affine)
    resampler.SetInterpolator(kinds[how])
    resampler.SetDefaultPixelValue(outside)
    resampler.SetOutputPixelType(sitk.sitkFloat32)
    resampled: NDArray[np.float32] = sitk.GetArrayFromImage(resampler.Execute(source)).T
    return np.ascontiguousarray(resampled)


def _index_image(data: NDArray[np.float32]) -> "SimpleITK.Image":
    """An image whose coordinates are the array's own indices (i, j, k)."""
    import SimpleITK as sitk  # noqa: N813 (its customary name)

    return sitk.GetImageFromArray(np.ascontiguousarray(data.T))


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
