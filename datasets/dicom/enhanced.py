"""Enhanced (multi-frame) MR, CT and PET: each frame's functional groups under the keywords of classic headers.

An enhanced object holds shared attributes once, and the rest frame by frame; an object converted from classic files
keeps attributes without a functional group as unassigned ones. Here every frame becomes one flat table of classic
keywords, so that everything else reads classic and enhanced alike.

Source: DICOM PS3.3 A.36.2 (Enhanced MR Image), C.8.13 (its functional groups), A.38, C.8.15 (Enhanced CT), A.56, C.8.22
(Enhanced PET), A.70 to A.72 (Legacy Converted Enhanced images), C.7.6.16.2.11 (Real World Value Mapping).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydicom import Dataset

from datasets.dicom.file import number, text, texts, values
from datasets.errors import RejectedInput

FUNCTIONAL_GROUPS = [
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "EchoPulseSequence",
    "EchoPlanarPulseSequence", "Spoiling", "SteadyStatePulseSequence", "ContrastBolusAgentSequence",
    "AttenuationCorrected", "DecayCorrected",
]  # fmt: skip
"""Top-level fields of an enhanced object beyond those of classic headers."""

FlatFrame = dict[str, Any]

_GROUP_FIELDS = (
    ("PlanePositionSequence", "ImagePositionPatient", "ImagePositionPatient"),
    ("PlaneOrientationSequence", "ImageOrientationPatient", "ImageOrientationPatient"),
    ("PixelMeasuresSequence", "PixelSpacing", "PixelSpacing"),
    ("PixelMeasuresSequence", "SliceThickness", "SliceThickness"),
    ("PixelMeasuresSequence", "SpacingBetweenSlices", "SpacingBetweenSlices"),
    ("PixelValueTransformationSequence", "RescaleSlope", "RescaleSlope"),
    ("PixelValueTransformationSequence", "RescaleIntercept", "RescaleIntercept"),
    ("PixelValueTransformationSequence", "RescaleType", "RescaleType"),
    ("CTImageFrameTypeSequence", "FrameType", "ImageType"),
    ("CTReconstructionSequence", "ConvolutionKernel", "ConvolutionKernel"),
    ("CTAcquisitionDetailsSequence", "GantryDetectorTilt", "GantryDetectorTilt"),
    ("PETFrameTypeSequence", "FrameType", "ImageType"),
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime", "RepetitionTime"),
    ("MRTimingAndRelatedParametersSequence", "FlipAngle", "FlipAngle"),
    ("MRTimingAndRelatedParametersSequence", "RFEchoTrainLength", "EchoTrainLength"),
    ("MRTimingAndRelatedParametersSequence", "EchoTrainLength", "EchoTrainLength"),
    ("MREchoSequence", "EffectiveEchoTime", "EchoTime"),
    ("MRModifierSequence", "InversionTimes", "InversionTime"),
    ("MRImageFrameTypeSequence", "FrameType", "ImageType"),
    ("MRDiffusionSequence", "DiffusionBValue", "DiffusionBValue"),
    ("FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
    ("FrameContentSequence", "FrameAcquisitionNumber", "AcquisitionNumber"),
    ("FrameContentSequence", "FrameAcquisitionDateTime", "AcquisitionDateTime"),
    ("FrameContentSequence", "FrameAcquisitionDuration", "ActualFrameDuration"),
    ("FrameContentSequence", "InStackPositionNumber", "InstanceNumber"),
    ("FrameContentSequence", "StackID", "StackID"),
)
"""Functional group, the field in it, and the classic keyword that means the same; a later one wins."""

_UNASSIGNED = ("UnassignedSharedConvertedAttributesSequence", "UnassignedPerFrameConvertedAttributesSequence")
_GROUPS = frozenset({group for group, _, _ in _GROUP_FIELDS} | {*_UNASSIGNED, "ContrastBolusUsageSequence"})

_PET_UNITS = (("BQML", frozenset({"Bq/ml", "Bq/mL"})), ("GML", frozenset({"{SUVbw}g/ml", "g/ml{SUVbw}"})))
"""A classic PET's units, and the codes (UCUM) by which a real world value mapping says the same; the first is taken."""

MOST_FRAMES = 10_000
"""A hundred slices at a hundred times; reading more headers takes too long."""


def classic_frames(dataset: Dataset, keywords: Iterable[str]) -> Iterator[FlatFrame]:
    """Header values of each frame, by classic keyword.

    Args:
        dataset: An enhanced object's header.
        keywords: The classic keywords wanted, beside those of the functional groups' fields, which always come.

    Raises:
        RejectedInput: ``enhanced-frames``: it describes another number of frames than it declares, or too many.
    """
    frames = values(dataset, "PerFrameFunctionalGroupsSequence")
    declared = int(number(dataset, "NumberOfFrames") or 1)
    if len(frames) != declared or declared > MOST_FRAMES:
        raise RejectedInput(
            "enhanced-frames",
            f"Expected functional groups for all frames of an enhanced object, at most {MOST_FRAMES}, got "
            f"{len(frames)} for {declared} frames.",
            remedy="Export the object again, or as classic single-frame DICOM.",
        )
    wanted = tuple(keywords)
    top = _fields(dataset, wanted)
    shared = next(iter(values(dataset, "SharedFunctionalGroupsSequence")), Dataset())
    for frame in frames:
        yield _flat(dataset, top, (shared, frame), wanted=wanted)


def group_item(groups: Iterable[Dataset], name: str) -> Dataset:
    """The item of a functional group: of the last of `groups` (shared, then the frame's) that has it; else empty."""
    found = Dataset()
    for holder in groups:
        found = next(iter(values(holder, name)), found)
    return found


def _flat(
    dataset: Dataset, top: Mapping[str, Any], groups: tuple[Dataset, Dataset], *, wanted: tuple[str, ...]
) -> FlatFrame:
    flat = dict(top)
    items = {name: group_item(groups, name) for name in _GROUPS}
    for sequence in _UNASSIGNED:
        flat |= _fields(items[sequence], wanted)
    for group, field, keyword in _GROUP_FIELDS:
        if found := values(items[group], field):
            flat[keyword] = found
    modifier = items["MRModifierSequence"]
    flat.setdefault("ScanningSequence", tuple(_scanning_sequence(dataset, modifier)))
    flat.setdefault("SequenceVariant", tuple(_sequence_variant(dataset)))
    flat.setdefault("ScanOptions", tuple(_scan_options(modifier)))
    flat["ImageType"] = (*flat.get("ImageType", ()), *_complex_component(items["MRImageFrameTypeSequence"]))
    flat["ContrastBolusAgent"] = _contrast_agent(dataset, items["ContrastBolusUsageSequence"]) or flat.get(
        "ContrastBolusAgent", ()
    )
    for keyword in ("ContrastBolusAgentSequence", "ContrastBolusVolume"):  # of the object, not of this frame
        flat.pop(keyword, None)
    return flat | _pet_fields(dataset, groups)


def _pet_fields(dataset: Dataset, groups: tuple[Dataset, Dataset]) -> FlatFrame:
    """Corrections and units of an enhanced PET: its mapping to real world values takes the place of the rescale."""
    if not text(dataset, "AttenuationCorrected"):
        return {}
    said = {"ATTN": "AttenuationCorrected", "DECY": "DecayCorrected"}
    flat: FlatFrame = {
        "CorrectedImage": tuple(word for word, keyword in said.items() if text(dataset, keyword) == "YES") or ("NONE",)
    }
    mappings = [item for group in groups for item in values(group, "RealWorldValueMappingSequence")]
    for units, codes in _PET_UNITS:
        for mapping in mappings:
            if any(text(code, "CodeValue") in codes for code in values(mapping, "MeasurementUnitsCodeSequence")):
                flat["Units"] = (units,)
                flat["RescaleSlope"] = values(mapping, "RealWorldValueSlope")
                flat["RescaleIntercept"] = values(mapping, "RealWorldValueIntercept")
                return flat
    return flat


def _fields(dataset: Dataset, wanted: tuple[str, ...]) -> FlatFrame:
    return {keyword: found for keyword in wanted if (found := values(dataset, keyword))} if dataset else {}


def _scanning_sequence(dataset: Dataset, modifier: Dataset) -> Iterator[str]:
    """``SE``, ``GR``, ``IR``, ``EP``, as classic headers have it."""
    echo = text(dataset, "EchoPulseSequence")
    if echo in ("SPIN", "BOTH"):
        yield "SE"
    if echo in ("GRADIENT", "BOTH"):
        yield "GR"
    if text(modifier, "InversionRecovery") == "YES":
        yield "IR"
    if text(dataset, "EchoPlanarPulseSequence") == "YES":
        yield "EP"


def _sequence_variant(dataset: Dataset) -> Iterator[str]:
    """``SP`` for a spoiled sequence, ``SS`` for one in steady state."""
    if text(dataset, "Spoiling") not in ("", "NONE"):
        yield "SP"
    if text(dataset, "SteadyStatePulseSequence") not in ("", "NONE"):
        yield "SS"


def _scan_options(modifier: Dataset) -> Iterator[str]:
    """``FS`` where fat is suppressed; ``WE``, scanners' word and not the standard's, where water alone is excited."""
    if text(modifier, "SpectrallySelectedSuppression") in ("FAT", "FAT_AND_WATER"):
        yield "FS"
    if text(modifier, "SpectrallySelectedExcitation") == "WATER":
        yield "WE"


def _complex_component(frame_type: Dataset) -> tuple[str, ...]:
    """``PHASE``, ``REAL``, ``IMAGINARY`` or ``MIXED``; nothing for a magnitude image."""
    component = texts(frame_type, "ComplexImageComponent")
    return tuple(value for value in component if value != "MAGNITUDE")


def _contrast_agent(dataset: Dataset, usage: Dataset) -> str:
    """Name of the contrast agent; empty for a frame that was taken before it was given."""
    agents = values(dataset, "ContrastBolusAgentSequence")
    given = text(usage, "ContrastBolusAgentAdministered")
    if given == "NO" or (given != "YES" and not agents):
        return ""
    return next((name for agent in agents if (name := text(agent, "CodeMeaning"))), "administered")
