"""What other people's programs make of a file: voxels in their own order, and the affine that they give to them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Read = tuple[NDArray[np.generic], NDArray[np.float64]]
"""Voxels, (i, j, k) or (channel, i, j, k), and the affine to RAS+ millimetres."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def by_simpleitk(path: Path) -> Read:
    """ITK's voxels, indexed as its own `TransformIndexToPhysicalPoint` does; a folder is one DICOM series."""
    import SimpleITK as sitk  # noqa: N813

    if path.is_dir():
        image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
    else:
        image = sitk.ReadImage(str(path))
    return _of_simpleitk(image)


def _of_simpleitk(image: object) -> Read:
    import SimpleITK as sitk  # noqa: N813

    data = sitk.GetArrayFromImage(image)
    if image.GetDimension() == 4:
        data = data.transpose(0, 3, 2, 1)
        image = image[..., 0]
    else:
        data = data.transpose(2, 1, 0)
    affine = np.eye(4)
    affine[:3, 3] = image.GetOrigin()
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    return data, _LPS_TO_RAS @ affine


def by_monai(path: Path) -> Read:
    """MONAI's voxels, channel first where there is one."""
    from monai.transforms import LoadImage

    found = LoadImage(image_only=True, ensure_channel_first=True, reader="PydicomReader" if path.is_dir() else None)(
        path
    )
    data = np.asarray(found)
    return data[0] if data.shape[0] == 1 else data, np.asarray(found.affine, dtype=np.float64)


def by_torchio(path: Path) -> Read:
    """TorchIO's voxels."""
    tio = pytest.importorskip("torchio", reason="TorchIO is not installed")
    image = tio.ScalarImage(path)
    data = image.data.numpy()
    return data[0] if data.shape[0] == 1 else data, np.asarray(image.affine, dtype=np.float64)


READERS: Mapping[str, Callable[[Path], Read]] = {
    "simpleitk": by_simpleitk,
    "monai": by_monai,
    "torchio": by_torchio,
}
