"""Writing the phantom's MR series as classic DICOM: realistic headers, fixed dates, UIDs from the seed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import MRImageStorage, generate_uid

from datasets.dicom.header import read_header
from datasets.dicom.writing import file_meta, write_dataset
from datasets.dicom_series.series import DicomSeries, group_series
from datasets.dicom_series.slice_placing import place_slice
from datasets.image.volume import Grid


@dataclass(frozen=True)
class Protocol:
    """The protocol of one series of the phantom.

    Args:
        name: Whose contrast: ``t1`` or ``t2``.
        description: Series description.
        size: Columns and rows.
        slices: Number of slices.
        gap_mm: Distance between slice centres.
        sequence: Scanning sequence, ``SE`` or ``GR``.
        scan_options: ``FS`` for fat saturation.
        repetition_time_ms: TR.
        echo_time_ms: TE.
        number: Series number.
        inversion_time_ms: TI; 0 for none.
        contrast: Contrast agent; empty for none.
    """

    name: str
    description: str
    size: int
    slices: int
    gap_mm: float
    sequence: str
    scan_options: str
    repetition_time_ms: float
    echo_time_ms: float
    number: int
    inversion_time_ms: float = 0.0
    contrast: str = ""


def write_protocol(
    folder: Path,
    protocol: Protocol,
    pixels: NDArray[np.uint16],
    grid: Grid,
    *,
    identity: list[str],
    name: str,
    suffix: str = ".dcm",
) -> DicomSeries:
    """Writes one series, a file a slice.

    Args:
        folder: Where to; created if absent.
        protocol: How it was acquired.
        pixels: (i = column, j = row, k = slice) of `grid.shape`, 12 bits used.
        grid: Where its voxels lie.
        identity: Seeds of the UIDs; its last entry is the patient's id.
        name: Patient's name.
        suffix: Of the file names; empty as many archives write them.

    Returns:
        The series as read back from its headers.
    """
    paths = [folder / f"IM{k + 1:04d}{suffix}" for k in range(grid.shape[2])]
    for k, path in enumerate(paths):
        dataset = patient_and_study(identity, name)
        _describe_series(dataset, protocol, identity)
        describe_slice(dataset, grid, k, identity)
        dataset.PixelData = np.ascontiguousarray(pixels[:, :, k].T).astype("<u2").tobytes()
        write_dataset(path, dataset)
    (series,) = group_series(read_header(path) for path in paths)
    return series


def patient_and_study(identity: list[str], name: str, *, examination: str = "") -> Dataset:
    """A data set with file meta information, patient and study.

    Args:
        identity: Seeds of the UIDs; its last entry is the patient's id.
        name: Patient's name.
        examination: Tells several of one patient apart: each has its own study and frame of reference.
    """
    seeds = [*identity, *([examination] if examination else [])]
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = name
    dataset.PatientID = identity[-1]
    dataset.PatientBirthDate = "19500101"
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[*seeds, "study"])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[*seeds, "frame"])
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20200101"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "120000"
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "PHANTOM LIMB"
    dataset.file_meta = file_meta()
    return dataset


def _describe_series(dataset: Dataset, protocol: Protocol, identity: list[str]) -> None:
    is_scout = protocol.description == "LOCALIZER"
    dataset.SOPClassUID = MRImageStorage
    dataset.Modality = "MR"
    dataset.Manufacturer = "Maskloop Phantom"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER" if is_scout else "M", "ND"]
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*identity, protocol.description])
    dataset.SeriesNumber = protocol.number
    dataset.SeriesDescription = protocol.description
    dataset.BodyPartExamined = "EXTREMITY"
    dataset.PatientPosition = "FFS"
    dataset.ScanningSequence = protocol.sequence
    dataset.SequenceVariant = "SK"
    dataset.ScanOptions = protocol.scan_options
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime = protocol.repetition_time_ms
    dataset.EchoTime = protocol.echo_time_ms
    if protocol.inversion_time_ms:
        dataset.InversionTime = protocol.inversion_time_ms
    if protocol.contrast:
        dataset.ContrastBolusAgent = protocol.contrast
    dataset.EchoTrainLength = 1 if protocol.repetition_time_ms < 1000 else 12
    dataset.MagneticFieldStrength = 1.5
    dataset.SliceThickness = round(protocol.gap_mm * 0.9, 3)
    dataset.SpacingBetweenSlices = protocol.gap_mm


def describe_slice(dataset: Dataset, grid: Grid, k: int, identity: list[str]) -> None:
    """Adds where slice `k` of the grid lies, and how its 12-bit pixels are stored."""
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[*identity, dataset.SeriesDescription, str(k)])
    dataset.InstanceNumber = k + 1
    place_slice(dataset, grid, k)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
