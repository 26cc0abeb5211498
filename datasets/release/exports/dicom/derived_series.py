"""An image of a release as a DICOM series, for masks whose own series is not at hand: derived, and of nobody.

One file a slice. Numbers that are whole are stored as they are; others as 16-bit fractions of the largest, which is
off by a 65,534th of it at the most. Where DICOM wants a date there is one that no examination has.

Source: DICOM PS3.3 A.3 (CT), A.4 (MR), A.21 (PET), C.7.6.2, C.8.2, C.8.3, C.8.9.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage, generate_uid

from datasets.dicom.writing import file_meta, write_dataset
from datasets.dicom_series.slice_placing import place_slice
from datasets.image.volume import Volume
from datasets.release.exports.dicom.segment_codes import header_text
from datasets.study.protocol import Modality

NO_DATE = "19000101"
"""Stands where DICOM wants a date and there is none."""

MANUFACTURER = "Maskloop"

_CLASSES = {
    Modality.MR: MRImageStorage,
    Modality.CT: CTImageStorage,
    Modality.PET: PositronEmissionTomographyImageStorage,
}
_LARGEST_STORED = 32767


@dataclass(frozen=True)
class SeriesSubject:
    """Whose image a series shows, and what it is.

    Args:
        patient: The patient's code, which is all that the header says of them.
        case: The case's code.
        role: The image's role.
        title: The role in words.
        modality: The machine.
        release: The release's name, which with the codes makes the UIDs of patient and study.
        digest: SHA-256 of the image's file, which makes the UIDs of the series: the same image has the same.
    """

    patient: str
    case: str
    role: str
    title: str
    modality: Modality
    release: str
    digest: str

    @property
    def seeds(self) -> list[str]:
        """What the UIDs of the series come from."""
        return [*self.study_seeds, self.role, self.digest]

    @property
    def study_seeds(self) -> list[str]:
        """What the UIDs of the study come from."""
        return ["maskloop-release", self.release, self.case]


def write_series(folder: Path, volume: Volume, subject: SeriesSubject) -> list[Dataset]:
    """Writes an image as a series.

    Args:
        folder: Where to; made if absent.
        volume: On an orthogonal grid.
        subject: What it shows.

    Returns:
        The headers of its slices along k, without pixels.
    """
    stored, slope = _stored(volume.data)
    headers = []
    for k in range(volume.grid.shape[2]):
        dataset = _header(subject, volume, k, slope=slope)
        dataset.PixelData = np.ascontiguousarray(stored[:, :, k].T).astype("<i2").tobytes()
        write_dataset(folder / f"IM{k + 1:04d}.dcm", dataset, is_one_of_many=True)
        del dataset.PixelData
        headers.append(dataset)
    return headers


def _stored(data: NDArray[np.generic]) -> tuple[NDArray[np.int16], float]:
    """The numbers as 16-bit ones, and what they are multiplied by."""
    if data.dtype == np.int16:
        return data.astype(np.int16), 1.0
    largest = float(np.abs(data).max(initial=0.0))
    slope = float(f"{largest / _LARGEST_STORED:.10g}") or 1.0
    numbers = np.rint(np.asarray(data, dtype=np.float64) / slope)
    return np.clip(numbers, -_LARGEST_STORED, _LARGEST_STORED).astype(np.int16), slope


def _header(subject: SeriesSubject, volume: Volume, k: int, *, slope: float) -> Dataset:
    dataset = _patient_and_study(subject)
    dataset.SOPClassUID = _CLASSES[subject.modality]
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[*subject.seeds, str(k)])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*subject.seeds, "series"])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[*subject.study_seeds, "frame"])
    dataset.PositionReferenceIndicator = ""
    dataset.Modality = subject.modality.value
    dataset.Manufacturer = MANUFACTURER
    dataset.SeriesNumber, dataset.InstanceNumber = 1, k + 1
    dataset.SeriesDescription = header_text(subject.title)
    dataset.DerivationDescription = "Made of a published release; see its record for the source"
    dataset.PatientPosition = ""
    place_slice(dataset, volume.grid, k)
    dataset.SliceThickness = f"{volume.grid.spacing[2]:.8g}"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = f"{slope:.10g}", "0"
    {Modality.MR: _as_mr, Modality.CT: _as_ct, Modality.PET: _as_pet}[subject.modality](dataset, volume)
    return dataset


def _patient_and_study(subject: SeriesSubject) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = file_meta()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = dataset.PatientID = subject.patient
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Image data of a release, no header of a scanner"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[*subject.study_seeds, "study"])
    dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.StudyDescription = subject.case
    return dataset


def _as_mr(dataset: Dataset, volume: Volume) -> None:
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "RM", "NONE", ""
    dataset.MRAcquisitionType = dataset.EchoTime = dataset.RepetitionTime = dataset.EchoTrainLength = ""
    dataset.SpacingBetweenSlices = f"{volume.grid.spacing[2]:.8g}"


def _as_ct(dataset: Dataset, _volume: Volume) -> None:
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.KVP = dataset.AcquisitionNumber = ""
    dataset.RescaleType = "HU"


def _as_pet(dataset: Dataset, volume: Volume) -> None:
    """SUV by body weight; corrected as the release's source was, of which nothing is known here."""
    dataset.ImageType, dataset.SeriesType = ["DERIVED", "SECONDARY"], ["WHOLE BODY", "IMAGE"]
    dataset.Units, dataset.SUVType, dataset.CountsSource = "GML", "BW", "EMISSION"
    dataset.SeriesDate = dataset.AcquisitionDate = NO_DATE
    dataset.SeriesTime = dataset.AcquisitionTime = "000000"
    dataset.CorrectedImage, dataset.DecayCorrection, dataset.CollimatorType = ["ATTN", "DECY"], "ADMIN", ""
    dataset.NumberOfSlices, dataset.ImageIndex = volume.grid.shape[2], int(dataset.InstanceNumber)
    dataset.FrameReferenceTime, dataset.ActualFrameDuration = "0", "1"
    dataset.RadiopharmaceuticalInformationSequence = []
