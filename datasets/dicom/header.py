"""One DICOM file's header: position and orientation of its slice, and the evidence for its sequence.

Values come from files that anyone may have written: a field that is absent or cannot be read is empty, never an error.
Identifiers (patient, study, series) stay inside the values, out of their `repr`, and must never be stored or shown.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from datasets.dicom.contour_references import contour_images
from datasets.dicom.enhanced import FUNCTIONAL_GROUPS, classic_frames
from datasets.dicom.evidence import OBLIQUE_LIMIT_DEGREES, Plane, SeriesEvidence, Vector, plane_of
from datasets.dicom.file import number, numbers, read_dataset, text, unreadable, values
from datasets.dicom.person import Person, person_of
from datasets.dicom.pet_header import PET_KEYWORDS, PetFacts, pet_facts
from datasets.dicom.series_facts import EVIDENCE_KEYWORDS, evidence_of, whole
from datasets.dicom.sop_classes import IMAGE_CLASSES, SEGMENTATIONS, STRUCTURE_SET, is_enhanced

__all__ = ["OBLIQUE_LIMIT_DEGREES", "Plane", "SeriesEvidence", "SliceHeader", "Vector", "plane_of", "read_header"]

_HEADER_KEYWORDS = [
    *EVIDENCE_KEYWORDS, *PET_KEYWORDS, "SOPInstanceUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns",
    "NumberOfFrames", "SamplesPerPixel", "PatientSex", "PatientBirthDate", "PatientName",
    "ReferencedFrameOfReferenceSequence", "InstanceNumber",
    "TemporalPositionIdentifier", "TriggerTime", "ImagesInAcquisition", "NumberOfSlices", "StackID", "RescaleSlope",
    "RescaleIntercept", "SliceThickness", "SpacingBetweenSlices",
]  # fmt: skip


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
        referenced_series: UIDs of the series that a structure set or a segmentation was drawn on.
        evidence: For the series' kind; slice count 1.
        frame: Which frame of the file this is, from 0.
        rescale: Slope and intercept of an enhanced object's frame; a classic slice's are read with its pixels.
        has_slope: Whether the header says the slope.
        has_intercept: Whether the header says the intercept.
        instance_number: The file's, or the frame's within its stack, counted by the scanner; None where absent.
        temporal_position: Which of several times the slice was taken; None where absent.
        trigger_time_ms: Delay after the trigger; None where absent.
        images_in_acquisition: How many images the scanner says it made, of a PET at one time; None where absent.
        thickness_mm: Of the slice; None where absent.
        declared_gap_mm: Distance between slice centres as the scanner says; None where absent. Positions decide.
        stack: Name of the stack that an enhanced object's frame belongs to.
        copy_uids: UIDs of other objects with the same pixels at the same place, which are not used.
        contour_images: UIDs of the images that a structure set's contours name.
        frame_headers: Of an enhanced object, one header a frame.
        person: Digests of the patient's name, sex and birth date, only for telling two patients apart. Never to be
            stored or shown.
        pet: How a PET's values become SUV. Never to be stored or shown.
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
    has_slope: bool = False
    has_intercept: bool = False
    instance_number: int | None = None
    temporal_position: int | None = None
    trigger_time_ms: float | None = None
    images_in_acquisition: int | None = None
    thickness_mm: float | None = None
    declared_gap_mm: float | None = None
    stack: str = field(default="", repr=False)
    copy_uids: frozenset[str] = field(default=frozenset(), repr=False)
    contour_images: frozenset[str] = field(default=frozenset(), repr=False)
    frame_headers: tuple["SliceHeader", ...] = field(default=(), repr=False)
    person: Person = field(default=Person(), repr=False)
    pet: PetFacts | None = field(default=None, repr=False)

    @property
    def uids(self) -> frozenset[str]:
        """The object's own identifier, and those of its copies. Never to be shown."""
        return self.copy_uids | {self.sop_instance_uid}

    @property
    def is_image(self) -> bool:
        """Whether the object says it holds an image; a segmentation is a mask and no image."""
        return min(self.size) > 0 and not self.is_segmentation

    @property
    def is_segmentation(self) -> bool:
        """Whether the object is a DICOM SEG."""
        return self.sop_class_uid in SEGMENTATIONS

    @property
    def is_frame(self) -> bool:
        """Whether this is one frame of an enhanced object."""
        return is_enhanced(self.sop_class_uid) and self.frames == 1 and not self.frame_headers

    @property
    def is_structure_set(self) -> bool:
        """Whether the object is an RTSTRUCT."""
        return self.sop_class_uid == STRUCTURE_SET or self.evidence.modality == "RTSTRUCT"

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector (3,) at right angles to the slice, right-handed with row and column; zeros where not known."""
        if self.row_direction is None or self.column_direction is None:
            return np.zeros(3)
        return np.cross(self.row_direction, self.column_direction).astype(np.float64)


def read_header(path: Path) -> SliceHeader:
    """Reads one file's header and leaves its pixels alone.

    Raises:
        RejectedInput: Not a DICOM file, a damaged one (``dicom-unreadable``), or an enhanced object that describes
            another number of frames than it declares (``enhanced-frames``).
    """
    dataset = read_dataset(path, keywords=[*_HEADER_KEYWORDS, *FUNCTIONAL_GROUPS, "ReferencedSeriesSequence"])
    header = _header(path, dataset)
    if not header.sop_class_uid or (header.sop_class_uid in IMAGE_CLASSES and not header.is_image):
        raise unreadable(EOFError())  # pydicom gives what it understood of a file that is cut off, without an error
    if header.is_structure_set:
        named = contour_images(read_dataset(path, keywords=["ROIContourSequence"]))
        return replace(header, contour_images=frozenset(named))
    if not is_enhanced(header.sop_class_uid):
        return _with_pet(header, dataset)
    frames = [
        _with_pet(replace(_header(path, frame), frames=1, frame=index, rescale=_rescale(frame)), frame)
        for index, frame in enumerate(classic_frames(dataset, _HEADER_KEYWORDS))
    ]
    return replace(header, frame_headers=tuple(frames))


def _with_pet(header: SliceHeader, dataset: Dataset) -> SliceHeader:
    """The header with the facts for SUV where it is a PET's; classic ones have some of them in private elements."""
    kind = IMAGE_CLASSES.get(header.sop_class_uid)
    if kind is None or kind.modality != "PT":
        return header
    private = Dataset() if kind.is_enhanced else read_dataset(header.path, keywords=[])
    return replace(header, pet=pet_facts(dataset, private))


def _header(path: Path, dataset: Dataset) -> SliceHeader:
    row, column = _directions(dataset)
    study_uid = text(dataset, "StudyInstanceUID")
    pixel_spacing = numbers(dataset, "PixelSpacing", count=2)
    return SliceHeader(
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
        evidence=evidence_of(dataset, row, column),
        has_slope=number(dataset, "RescaleSlope") is not None,
        has_intercept=number(dataset, "RescaleIntercept") is not None,
        instance_number=whole(dataset, "InstanceNumber"),
        temporal_position=whole(dataset, "TemporalPositionIdentifier"),
        trigger_time_ms=number(dataset, "TriggerTime"),
        images_in_acquisition=whole(dataset, "ImagesInAcquisition") or whole(dataset, "NumberOfSlices"),
        thickness_mm=number(dataset, "SliceThickness"),
        declared_gap_mm=number(dataset, "SpacingBetweenSlices"),
        stack=text(dataset, "StackID"),
        person=person_of(
            sex=text(dataset, "PatientSex"),
            birth_date=text(dataset, "PatientBirthDate"),
            name=text(dataset, "PatientName"),
        ),
    )


def _rescale(frame: Dataset) -> tuple[float, float]:
    slope, intercept = number(frame, "RescaleSlope"), number(frame, "RescaleIntercept")
    return 1.0 if slope is None else slope, intercept or 0.0


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
    for series in values(dataset, "ReferencedSeriesSequence"):
        found[text(series, "SeriesInstanceUID")] = None
    return tuple(uid for uid in found if uid)
