"""What one DICOM file's header says: where its slice lies, and the evidence for what sequence it belongs to.

Values come from files that anyone may have written: a field that is absent or cannot be read is empty, never an error.
Identifiers (patient, study, series) stay inside the values, out of their `repr`, and must never be stored or shown.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, MRImageStorage

from datasets.dicom_file import number, numbers, read_dataset, text, texts, unreadable, values

Vector = tuple[float, float, float]

OBLIQUE_LIMIT_DEGREES = 30.0
"""A slice is axial, coronal or sagittal when its normal lies within this angle of that axis: limbs are often scanned
along the bone, some 20 degrees off the table's axis, and are still read as axial."""

_STRUCTURE_SET_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
_IMAGE_CLASSES = frozenset({MRImageStorage, EnhancedMRImageStorage, CTImageStorage})

_HEADER_KEYWORDS = [
    "SOPClassUID", "SOPInstanceUID", "Modality", "PatientID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns",
    "NumberOfFrames", "SamplesPerPixel", "SeriesDescription", "ScanningSequence", "SequenceVariant", "ScanOptions",
    "RepetitionTime", "EchoTime", "InversionTime", "ImageType", "ContrastBolusAgent", "Manufacturer",
    "BodyPartExamined", "ReferencedFrameOfReferenceSequence", "MRAcquisitionType", "SequenceName", "PulseSequenceName",
    "ProtocolName", "EchoTrainLength", "EchoNumbers", "FlipAngle", "DiffusionBValue", "AcquisitionNumber",
    "NumberOfTemporalPositions", "ManufacturerModelName", "MagneticFieldStrength", "BurnedInAnnotation",
    "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "SeriesDate", "SeriesTime", "StudyDate", "StudyTime",
]  # fmt: skip


class Plane(StrEnum):
    """How a series' slices lie in the patient."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    OBLIQUE = "oblique"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SeriesEvidence:
    """What the header says about the kind of a series. Free text is kept out of `repr`: people type names into it.

    Args:
        modality: DICOM modality, ``MR`` for magnetic resonance; empty for NIfTI.
        series_description: Free text; look for words in it, never show it.
        scanning_sequence: ``SE``, ``GR``, ``IR``, ``EP``...
        sequence_variant: ``SK``, ``SP``, ``OSP``...
        scan_options: ``FS`` (fat saturation), ``PFP``...
        repetition_time_ms: TR in milliseconds, None where absent.
        echo_time_ms: TE in milliseconds, None where absent.
        inversion_time_ms: TI in milliseconds, None where absent.
        image_type: ``ORIGINAL`` or ``DERIVED``, ``PRIMARY`` or ``SECONDARY``, then the manufacturer's own words.
        contrast_agent: Free text, empty where none was given.
        orientation: How the slices lie.
        slice_count: Number of slices.
        spacing: Distance between columns, rows and slices in millimetres; None where it is not known.
        manufacturer: Of the scanner.
        body_part: DICOM body part examined.
        mr_acquisition_type: ``2D`` or ``3D``.
        sequence_name: The scanner's own word for the sequence, such as ``*tse2d1_15``.
        protocol_name: Free text; look for words in it, never show it.
        echo_train_length: Lines acquired for each excitation; 1 for a conventional spin echo.
        echo_number: Which echo this is, from 1.
        flip_angle: In degrees.
        number_of_echoes: How many echo times share the series' UID; 1 unless it was split.
        b_value: Diffusion weighting in s/mm²; None where absent.
        acquisition_number: The scanner's count of acquisitions within the series.
        temporal_positions: How many times the same slices were taken; 1 for a series that is no time course.
        coverage_mm: From the outer face of the first slice to that of the last, had they no gaps; None where not known.
        manufacturer_model: The scanner's model.
        field_strength_t: In tesla.
        burned_in_annotation: ``YES`` or ``NO``; empty where the header does not say.
        sop_class: UID of the kind of object.
        acquisition_time: When it was acquired (else when its series or study began); only for comparing series of one
            patient. Never to be stored or shown.
    """

    modality: str = ""
    series_description: str = field(default="", repr=False)
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    scan_options: tuple[str, ...] = ()
    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    image_type: tuple[str, ...] = ()
    contrast_agent: str = field(default="", repr=False)
    orientation: Plane = Plane.UNKNOWN
    slice_count: int = 0
    spacing: Vector | None = None
    manufacturer: str = ""
    body_part: str = ""
    mr_acquisition_type: str = ""
    sequence_name: str = field(default="", repr=False)
    protocol_name: str = field(default="", repr=False)
    echo_train_length: int | None = None
    echo_number: int | None = None
    flip_angle: float | None = None
    number_of_echoes: int = 1
    b_value: float | None = None
    acquisition_number: int | None = None
    temporal_positions: int = 1
    coverage_mm: float | None = None
    manufacturer_model: str = field(default="", repr=False)
    field_strength_t: float | None = None
    burned_in_annotation: str = ""
    sop_class: str = ""
    acquisition_time: datetime | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SliceHeader:
    """One DICOM file's header, as far as Maskloop reads it. Lengths in millimetres, directions in DICOM's LPS+ axes.

    Args:
        path: The file.
        sop_class_uid: What kind of object it is.
        sop_instance_uid: The object's own identifier.
        patient_key: PatientID, or the study's UID where that is empty. Never to be stored or shown.
        study_uid: Never to be stored or shown.
        series_uid: Never to be stored or shown.
        frame_of_reference_uid: Empty where absent.
        size: Columns and rows; (0, 0) for an object without an image.
        frames: Number of frames in the file.
        samples: Samples a pixel: 1 for grey values, 3 for colour.
        position: Centre of the first pixel, or None.
        row_direction: Unit vector along a row (towards the next column), or None.
        column_direction: Unit vector along a column (towards the next row), or None.
        spacing: Distance between columns and between rows, or None.
        referenced_series: UIDs of the series that a structure set was drawn on.
        evidence: What it says about the series' kind; slice count 1.
        frame: Which frame of the file this is, from 0.
        rescale: Slope and intercept of an enhanced object's frame; a classic slice's are read with its pixels.
    """

    path: Path = field(repr=False)
    sop_class_uid: str
    sop_instance_uid: str = field(repr=False)
    patient_key: str = field(repr=False)
    study_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    frame_of_reference_uid: str = field(repr=False)
    size: tuple[int, int]
    frames: int
    samples: int
    position: Vector | None
    row_direction: Vector | None
    column_direction: Vector | None
    spacing: tuple[float, float] | None
    referenced_series: tuple[str, ...] = field(repr=False)
    evidence: SeriesEvidence
    frame: int = 0
    rescale: tuple[float, float] = (1.0, 0.0)

    @property
    def is_image(self) -> bool:
        """Whether the object says it holds an image."""
        return min(self.size) > 0

    @property
    def is_structure_set(self) -> bool:
        """Whether the object is an RTSTRUCT."""
        return self.sop_class_uid == _STRUCTURE_SET_CLASS or self.evidence.modality == "RTSTRUCT"

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector (3,) at right angles to the slice, right-handed with row and column; zeros where not known."""
        if self.row_direction is None or self.column_direction is None:
            return np.zeros(3)
        return np.cross(self.row_direction, self.column_direction).astype(np.float64)


def read_header(path: Path) -> SliceHeader:
    """Reads one file's header and leaves its pixels alone.

    Raises:
        RejectedInput: Not a DICOM file, or a damaged one.
    """
    dataset = read_dataset(path, keywords=_HEADER_KEYWORDS)
    row, column = _directions(dataset)
    study_uid = text(dataset, "StudyInstanceUID")
    pixel_spacing = numbers(dataset, "PixelSpacing", count=2)
    header = SliceHeader(
        path=path,
        sop_class_uid=text(dataset, "SOPClassUID"),
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        patient_key=text(dataset, "PatientID") or study_uid,
        study_uid=study_uid,
        series_uid=text(dataset, "SeriesInstanceUID"),
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
        size=(int(number(dataset, "Columns") or 0), int(number(dataset, "Rows") or 0)),
        frames=int(number(dataset, "NumberOfFrames") or 1),
        samples=int(number(dataset, "SamplesPerPixel") or 1),
        position=_vector(numbers(dataset, "ImagePositionPatient", count=3)),
        row_direction=row,
        column_direction=column,
        spacing=(pixel_spacing[1], pixel_spacing[0]) if pixel_spacing and min(pixel_spacing) > 0 else None,
        referenced_series=_referenced_series(dataset),
        evidence=_evidence(dataset),
    )
    if not header.sop_class_uid or (header.sop_class_uid in _IMAGE_CLASSES and not header.is_image):
        raise unreadable(EOFError())  # pydicom gives what it understood of a file that is cut off, without an error
    return header


def plane_of(normal: NDArray[np.floating]) -> Plane:
    """The plane of slices with this normal (LPS+ or RAS+, any length); UNKNOWN for a zero vector."""
    length = float(np.linalg.norm(normal))
    if length == 0.0:
        return Plane.UNKNOWN
    cosines = np.abs(normal) / length
    axis = int(np.argmax(cosines))
    if cosines[axis] < math.cos(math.radians(OBLIQUE_LIMIT_DEGREES)):
        return Plane.OBLIQUE
    return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[axis]


def _vector(values: tuple[float, ...] | None) -> Vector | None:
    return (values[0], values[1], values[2]) if values else None


def _directions(dataset: Dataset) -> tuple[Vector | None, Vector | None]:
    """Row and column direction, made exactly unit and orthogonal; (None, None) where the header's are not nearly so."""
    found = numbers(dataset, "ImageOrientationPatient", count=6)
    if found is None:
        return None, None
    row, column = np.array(found[:3]), np.array(found[3:])
    if abs(np.linalg.norm(row) - 1) > 1e-2 or abs(np.linalg.norm(column) - 1) > 1e-2 or abs(row @ column) > 1e-2:
        return None, None
    row = row / np.linalg.norm(row)
    column = column - (column @ row) * row
    return _vector(tuple(row.tolist())), _vector(tuple((column / np.linalg.norm(column)).tolist()))


def _referenced_series(dataset: Dataset) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for frame in values(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in values(frame, "RTReferencedStudySequence"):
            for series in values(study, "RTReferencedSeriesSequence"):
                found[text(series, "SeriesInstanceUID")] = None
    return tuple(uid for uid in found if uid)


def _evidence(dataset: Dataset) -> SeriesEvidence:
    row, column = _directions(dataset)
    return SeriesEvidence(
        modality=text(dataset, "Modality").upper(),
        series_description=text(dataset, "SeriesDescription"),
        scanning_sequence=texts(dataset, "ScanningSequence"),
        sequence_variant=texts(dataset, "SequenceVariant"),
        scan_options=texts(dataset, "ScanOptions"),
        repetition_time_ms=number(dataset, "RepetitionTime"),
        echo_time_ms=number(dataset, "EchoTime"),
        inversion_time_ms=number(dataset, "InversionTime"),
        image_type=texts(dataset, "ImageType"),
        contrast_agent=text(dataset, "ContrastBolusAgent"),
        orientation=plane_of(np.cross(row, column)) if row and column else Plane.UNKNOWN,
        slice_count=1,
        manufacturer=text(dataset, "Manufacturer"),
        body_part=text(dataset, "BodyPartExamined"),
        mr_acquisition_type=text(dataset, "MRAcquisitionType"),
        sequence_name=text(dataset, "SequenceName") or text(dataset, "PulseSequenceName"),
        protocol_name=text(dataset, "ProtocolName"),
        echo_train_length=_whole(dataset, "EchoTrainLength"),
        echo_number=_whole(dataset, "EchoNumbers"),
        flip_angle=number(dataset, "FlipAngle"),
        b_value=number(dataset, "DiffusionBValue"),
        acquisition_number=_whole(dataset, "AcquisitionNumber"),
        temporal_positions=_whole(dataset, "NumberOfTemporalPositions") or 1,
        manufacturer_model=text(dataset, "ManufacturerModelName"),
        field_strength_t=number(dataset, "MagneticFieldStrength"),
        burned_in_annotation=text(dataset, "BurnedInAnnotation").upper(),
        sop_class=text(dataset, "SOPClassUID"),
        acquisition_time=_acquisition_time(dataset),
    )


def _whole(dataset: Dataset, keyword: str) -> int | None:
    """A field's first value as a whole number; None where absent, unreadable or not whole."""
    found = number(dataset, keyword)
    return int(found) if found is not None and found == int(found) else None


def _acquisition_time(dataset: Dataset) -> datetime | None:
    """The first moment that the header gives: of the acquisition, else of the series, else of the study."""
    moments = [text(dataset, "AcquisitionDateTime")]
    for event in ("Acquisition", "Series", "Study"):
        date = text(dataset, f"{event}Date")
        moments.append(date + (text(dataset, f"{event}Time") or "000000") if date else "")
    return next((found for moment in moments if (found := _moment(moment)) is not None), None)


def _moment(value: str) -> datetime | None:
    """DICOM's date and time, to the second, as a scanner's own clock shows it."""
    try:
        return datetime.strptime(value[:14].ljust(14, "0"), "%Y%m%d%H%M%S") if len(value) >= 8 else None
    except ValueError:
        return None
