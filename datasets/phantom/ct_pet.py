"""Writing CT and PET series as classic DICOM, with headers of three manufacturers: fixed dates, UIDs from the seed."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import CTImageStorage, PositronEmissionTomographyImageStorage, generate_uid

from datasets.dicom.header import read_header
from datasets.dicom.writing import write_dataset
from datasets.dicom_series.series import DicomSeries, group_series
from datasets.image.volume import Grid
from datasets.phantom.scanner import describe_slice, patient_and_study

WEIGHT_KG, DOSE_BQ, HALF_LIFE_S = 70.0, 370e6, 6586.2
"""Of every PET: fluorine-18, injected at 11:00:00; the scan begins at 12:00:00."""

DECAYED_DOSE_BQ = 253_314_180.24
"""370e6 x 2^(-3600 / 6586.2)."""

_LARGEST_STORED = 32767
_AIR_STORED = 1024


class PetDialect(StrEnum):
    """How a manufacturer stores PET values and what makes them SUV."""

    SIEMENS = "siemens"
    GE = "ge"
    PHILIPS = "philips"
    SUV = "suv"


@dataclass(frozen=True)
class CtProtocol:
    """The protocol of a CT series.

    Args:
        description: Series description.
        number: Series number.
        kernel: Convolution kernel.
        contrast: Contrast agent; empty for none.
        image_type: Values of the image type.
        manufacturer: Of the scanner.
    """

    description: str = "CT SOFT TISSUE"
    number: int = 2
    kernel: str = "STANDARD"
    contrast: str = ""
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    manufacturer: str = "GE MEDICAL SYSTEMS"


@dataclass(frozen=True)
class PetProtocol:
    """The protocol of a PET series.

    Args:
        description: Series description.
        number: Series number.
        dialect: The manufacturer's way.
        is_corrected: Whether it is corrected for attenuation.
    """

    description: str = "PET AC"
    number: int = 4
    dialect: PetDialect = PetDialect.SIEMENS
    is_corrected: bool = True


Change = Callable[[Dataset, int], object]
"""Changes the data set of slice k before it is written."""


def write_ct(
    folder: Path,
    protocol: CtProtocol,
    hounsfield: NDArray[np.number],
    grid: Grid,
    *,
    identity: list[str],
    name: str,
    examination: str = "",
    change: Change = lambda dataset, k: None,
) -> DicomSeries:
    """Writes a CT series, a file a slice, with slope 1 and intercept -1024.

    Args:
        folder: Where to; created if absent.
        protocol: How it was acquired.
        hounsfield: (i = column, j = row, k = slice) of `grid.shape`, from -1024 on.
        grid: Where its voxels lie.
        identity: Seeds of the UIDs; its last entry is the patient's id.
        name: Patient's name.
        examination: As of `patient_and_study`.
        change: Changes each data set before it is written.

    Returns:
        The series as read back from its headers.
    """

    def describe(dataset: Dataset, k: int) -> NDArray[np.uint16]:
        _describe_ct(dataset, protocol)
        return np.clip(np.rint(hounsfield[:, :, k]) + _AIR_STORED, 0, _LARGEST_STORED).astype(np.uint16)

    start = patient_and_study(identity, name, examination=examination)
    return _write(folder, start, describe, grid, identity=identity, change=change)


def write_pet(
    folder: Path,
    protocol: PetProtocol,
    suv: NDArray[np.floating],
    grid: Grid,
    *,
    identity: list[str],
    name: str,
    examination: str = "",
    change: Change = lambda dataset, k: None,
) -> DicomSeries:
    """Writes a PET series, a file a slice, each with its own slope; arguments as of `write_ct`, values in SUVbw."""
    stored_per_suv = _stored_per_suv(protocol.dialect)

    def describe(dataset: Dataset, k: int) -> NDArray[np.uint16]:
        _describe_pet(dataset, protocol)
        values = suv[:, :, k] * stored_per_suv
        slope = float(f"{max(float(values.max()), 1e-3) / _LARGEST_STORED:.8g}")
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, 0
        return np.rint(values / slope).clip(0, _LARGEST_STORED).astype(np.uint16)

    start = patient_and_study(identity, name, examination=examination)
    return _write(folder, start, describe, grid, identity=identity, change=change)


def _write(
    folder: Path,
    start: Dataset,
    describe: Callable[[Dataset, int], NDArray[np.uint16]],
    grid: Grid,
    *,
    identity: list[str],
    change: Change,
) -> DicomSeries:
    paths = [folder / f"IM{k + 1:04d}.dcm" for k in range(grid.shape[2])]
    for k, path in enumerate(paths):
        dataset = deepcopy(start)
        pixels = describe(dataset, k)
        dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*identity, str(folder.name), dataset.SeriesDescription])
        dataset.SliceThickness = round(grid.spacing[2], 3)
        describe_slice(dataset, grid, k, [*identity, folder.name])
        dataset.BitsStored, dataset.HighBit = 16, 15
        dataset.PixelData = np.ascontiguousarray(pixels.T).astype("<u2").tobytes()
        change(dataset, k)
        write_dataset(path, dataset)
    (series,) = group_series(read_header(path) for path in paths)
    return series


def _describe_ct(dataset: Dataset, protocol: CtProtocol) -> None:
    dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    dataset.Manufacturer, dataset.ImageType = protocol.manufacturer, list(protocol.image_type)
    dataset.SeriesDescription, dataset.SeriesNumber = protocol.description, protocol.number
    dataset.BodyPartExamined, dataset.PatientPosition = "EXTREMITY", "HFS"
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.SeriesDate, dataset.SeriesTime
    dataset.KVP, dataset.ConvolutionKernel, dataset.GantryDetectorTilt = 120, protocol.kernel, 0
    dataset.ScanOptions = "HELICAL MODE"
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -_AIR_STORED, "HU"
    if protocol.contrast:
        dataset.ContrastBolusAgent = protocol.contrast


def _describe_pet(dataset: Dataset, protocol: PetProtocol) -> None:
    dataset.SOPClassUID, dataset.Modality = PositronEmissionTomographyImageStorage, "PT"
    dataset.SeriesDescription, dataset.SeriesNumber = protocol.description, protocol.number
    dataset.ImageType, dataset.PatientPosition, dataset.BodyPartExamined = ["ORIGINAL", "PRIMARY"], "HFS", "EXTREMITY"
    dataset.SeriesType = ["WHOLE BODY", "IMAGE"]
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.SeriesDate, dataset.SeriesTime
    dataset.PatientWeight = WEIGHT_KG
    dataset.CorrectedImage = ["DECY", "SCAT", "DTIM", "RANSNG", "NORM"] + (["ATTN"] if protocol.is_corrected else [])
    dataset.DecayCorrection = "START"
    dataset.FrameReferenceTime, dataset.ActualFrameDuration = 90000.0, 180000
    isotope = Dataset()
    isotope.RadionuclideTotalDose, isotope.RadionuclideHalfLife = DOSE_BQ, HALF_LIFE_S
    isotope.RadiopharmaceuticalStartTime = "110000"
    _in_dialect(dataset, isotope, protocol.dialect)
    dataset.RadiopharmaceuticalInformationSequence = [isotope]


def _in_dialect(dataset: Dataset, isotope: Dataset, dialect: PetDialect) -> None:
    dataset.Units = {"philips": "CNTS", "suv": "GML"}.get(dialect, "BQML")
    if dialect is PetDialect.SIEMENS:
        dataset.Manufacturer = "SIEMENS"
        isotope.RadiopharmaceuticalStartDateTime = f"{dataset.SeriesDate}110000.000000"
    elif dialect is PetDialect.PHILIPS:
        dataset.Manufacturer = "Philips Medical Systems"
        private = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        private.add_new(0x00, "DS", f"{_PHILIPS_SUV_FACTOR}")
        private.add_new(0x09, "DS", f"{_PHILIPS_ACTIVITY_FACTOR}")
    else:
        dataset.Manufacturer = "GE MEDICAL SYSTEMS"
        private = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
        private.add_new(0x0D, "DT", f"{dataset.SeriesDate}{dataset.SeriesTime}.00")
    if dialect is PetDialect.SUV:
        dataset.SUVType, dataset.DecayCorrection = "BW", "ADMIN"


_PHILIPS_ACTIVITY_FACTOR = 1.5
_PHILIPS_SUV_FACTOR = 0.000414505023  # 1.5 x 70000 / DECAYED_DOSE_BQ


def _stored_per_suv(dialect: PetDialect) -> float:
    """Rescaled value of one SUV."""
    activity = DECAYED_DOSE_BQ / (WEIGHT_KG * 1000.0)
    return {"philips": 1.0 / _PHILIPS_SUV_FACTOR, "suv": 1.0}.get(dialect, activity)
