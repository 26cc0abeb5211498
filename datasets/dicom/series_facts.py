"""A series' evidence from the header of one of its files, or of one frame."""

from datetime import datetime

import numpy as np
from pydicom import Dataset

from datasets.dicom.evidence import Plane, SeriesEvidence, Vector, plane_of
from datasets.dicom.file import number, text, texts, values

EVIDENCE_KEYWORDS = [
    "Modality", "SeriesDescription", "ScanningSequence", "SequenceVariant", "ScanOptions", "RepetitionTime", "EchoTime",
    "InversionTime", "ImageType", "ContrastBolusAgent", "ContrastBolusVolume", "ContrastBolusAgentSequence",
    "Manufacturer", "BodyPartExamined", "Laterality", "ImageLaterality", "MRAcquisitionType", "SequenceName",
    "PulseSequenceName", "ProtocolName", "EchoTrainLength", "EchoNumbers", "FlipAngle", "DiffusionBValue",
    "AcquisitionNumber", "NumberOfTemporalPositions", "ManufacturerModelName", "MagneticFieldStrength",
    "BurnedInAnnotation", "SOPClassUID", "SeriesNumber", "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime",
    "SeriesDate", "SeriesTime", "StudyDate", "StudyTime", "ConvolutionKernel", "GantryDetectorTilt", "RescaleType",
    "Units", "CorrectedImage", "SeriesType",
]  # fmt: skip
"""The fields that evidence is read from."""


def evidence_of(dataset: Dataset, row: Vector | None, column: Vector | None) -> SeriesEvidence:
    """The evidence that one header holds; slice count 1.

    Args:
        dataset: The header, or a frame's flat one.
        row: Direction of its rows; None where not known.
        column: Direction of its columns; None where not known.
    """
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
        contrast_agent=_contrast_agent(dataset),
        plane=plane_of(np.cross(row, column)) if row and column else Plane.UNKNOWN,
        slice_count=1,
        manufacturer=text(dataset, "Manufacturer"),
        body_part=text(dataset, "BodyPartExamined"),
        laterality=(text(dataset, "ImageLaterality") or text(dataset, "Laterality")).upper(),
        mr_acquisition_type=text(dataset, "MRAcquisitionType"),
        sequence_name=text(dataset, "SequenceName") or text(dataset, "PulseSequenceName"),
        protocol_name=text(dataset, "ProtocolName"),
        echo_train_length=whole(dataset, "EchoTrainLength"),
        echo_number=whole(dataset, "EchoNumbers"),
        flip_angle=number(dataset, "FlipAngle"),
        b_value=number(dataset, "DiffusionBValue"),
        acquisition_number=whole(dataset, "AcquisitionNumber"),
        temporal_positions=whole(dataset, "NumberOfTemporalPositions") or 1,
        manufacturer_model=text(dataset, "ManufacturerModelName"),
        field_strength_t=number(dataset, "MagneticFieldStrength"),
        burned_in_annotation=text(dataset, "BurnedInAnnotation").upper(),
        sop_class=text(dataset, "SOPClassUID"),
        series_number=whole(dataset, "SeriesNumber"),
        acquisition_time=_acquisition_time(dataset),
        convolution_kernel=text(dataset, "ConvolutionKernel"),
        gantry_tilt_degrees=number(dataset, "GantryDetectorTilt"),
        units=_units(dataset),
        corrected_image=texts(dataset, "CorrectedImage"),
        series_type=texts(dataset, "SeriesType"),
        slice_thickness_mm=number(dataset, "SliceThickness"),
    )


def _units(dataset: Dataset) -> str:
    """A PET's units; a CT's rescale type, which is HU where it is not said (DICOM PS3.3 C.8.2.1.1.3)."""
    if text(dataset, "Modality") == "CT":
        return text(dataset, "RescaleType") or "HU"
    return text(dataset, "Units")


def _contrast_agent(dataset: Dataset) -> str:
    """The contrast agent's name, a placeholder where a scanner writes its amount alone; empty where none was given."""
    agents = values(dataset, "ContrastBolusAgentSequence")
    named = (text(dataset, "ContrastBolusAgent"), *(text(agent, "CodeMeaning") for agent in agents))
    is_given = bool(agents) or (number(dataset, "ContrastBolusVolume") or 0.0) > 0
    return next(filter(None, named), "administered" if is_given else "")


def whole(dataset: Dataset, keyword: str) -> int | None:
    """A field's first value as a whole number; None where absent, unreadable or not whole."""
    found = number(dataset, keyword)
    return int(found) if found is not None and found == int(found) else None


def _acquisition_time(dataset: Dataset) -> datetime | None:
    """Time of the acquisition, else of the series, else of the study."""
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
