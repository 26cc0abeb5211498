"""Masks of real patients: structure sets against the published NIfTI masks, and through DICOM SEG and back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its customary name)
from numpy.typing import NDArray
from pydicom import dcmread

from datasets.dicom.header import read_header
from datasets.dicom_masks.rtstruct import read_structure_set
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.mask import Mask
from datasets.image.resample import resample_mask
from datasets.image.volume import Affine, Volume
from tests.data import STS_DICOM, STS_NIFTI, require
from tests.datasets.dicom_masks.test_segmentation import write_segmentation

SERIES = ["STS_001/MR_T1", "STS_001/MR_T2", "STS_002/MR_T1", "STS_003/MR_T1"]


def _read(name: str) -> tuple[DicomSeries, dict[str, Mask]]:
    folder = require(STS_DICOM / name)
    (series,) = group_series(read_header(path) for path in sorted((folder / "image").iterdir()))
    found = read_structure_set(next((folder / "mask").iterdir()), series)
    assert found.findings == ()
    assert series.findings == ()
    return series, dict(found.masks)


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2.0 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("patient", ["STS_002", "STS_003"])
def test_structure_sets_agree_with_the_published_masks(patient: str, tell_figure: Callable[[str], None]) -> None:
    """These two patients' DICOM lies on the published grid, cropped: the masks should be the same voxels."""
    _, masks = _read(f"{patient}/MR_T1")
    published = read_mask(require(STS_NIFTI / patient) / "MR_T1_mask.nii.gz")
    ours = resample_mask(masks["GTV_Mass_MR_T1"], published.grid)
    dice = _dice(ours.foreground, published.foreground)
    tell_figure(f"{patient}: structure set against the published NIfTI mask: Dice {dice:.4f}")
    assert dice > 0.999


@pytest.mark.slow
def test_a_structure_set_agrees_with_the_published_mask_in_another_frame(tell_figure: Callable[[str], None]) -> None:
    """The publishers brought STS_001 into another frame of reference, 35 degrees away, at other spacings.

    The way there is found from the two images alone; the masks give no more than its start.
    """
    series, masks = _read("STS_001/MR_T1")
    folder = require(STS_NIFTI / "STS_001")
    published, mask = read_mask(folder / "MR_T1_mask.nii.gz"), masks["GTV_Mass"]
    start = _centre(mask) - _centre(published)
    way = _rigid(read_volume(folder / "MR_T1_image.nii.gz"), read_series(series), about=_centre(published), start=start)
    ours = resample_mask(mask, published.grid, transform=way)
    dice = _dice(ours.foreground, published.foreground)
    tell_figure(
        f"STS_001: structure set, brought over by registering the images, against the published NIfTI mask: "
        f"Dice {dice:.4f}, {mask.volume_ml:.1f} and {published.volume_ml:.1f} ml"
    )
    assert dice > 0.97
    assert mask.volume_ml == pytest.approx(published.volume_ml, rel=0.005)


def _centre(mask: Mask) -> NDArray[np.float64]:
    return mask.grid.to_world(np.argwhere(mask.foreground)).mean(axis=0)


def _rigid(fixed: Volume, moving: Volume, *, about: NDArray[np.float64], start: NDArray[np.float64]) -> Affine:
    """Millimetres of one image to millimetres of the other, by mutual information; (4, 4)."""
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(4.0, 1e-4, 200, 0.7)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([2.0, 1.0])
    motion = sitk.Euler3DTransform()
    motion.SetCenter(about.tolist())
    motion.SetTranslation(start.tolist())
    method.SetInitialTransform(motion, True)
    method.Execute(_image(fixed), _image(moving))
    way = np.eye(4)
    way[:3, :3] = np.reshape(motion.GetMatrix(), (3, 3))
    way[:3, 3] = np.array(motion.GetTranslation()) + about - way[:3, :3] @ about
    return way


def _image(volume: Volume) -> sitk.Image:
    """An image whose physical space is the volume's own, RAS+."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.asarray(volume.data, dtype=np.float32).T))
    image.SetSpacing(volume.grid.spacing)
    image.SetOrigin(volume.grid.affine[:3, 3].tolist())
    image.SetDirection((volume.grid.affine[:3, :3] / volume.grid.spacing).ravel().tolist())
    return image


@pytest.mark.slow
@pytest.mark.parametrize("name", SERIES)
def test_real_masks_go_through_dicom_seg_and_back(
    name: str, tmp_path: Path, tell_figure: Callable[[str], None]
) -> None:
    series, masks = _read(name)
    regions = {region: mask.data for region, mask in masks.items()}
    path = write_segmentation(tmp_path / "seg.dcm", regions, [dcmread(file) for file in series.files])
    back = read_segment_set(path, series).sound()
    dice = [_dice(back[region].foreground, mask.foreground) for region, mask in masks.items()]
    tell_figure(f"{name}: {len(masks)} regions through DICOM SEG and back: Dice {min(dice):.4f}")
    assert list(back) == list(masks)
    assert dice == [1.0] * len(masks)
    assert all(back[region].grid.matches(mask.grid) for region, mask in masks.items())
