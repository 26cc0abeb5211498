"""Kinds of series in Maskloop's own words, and the codes by which series are left out."""

from enum import StrEnum


class SeriesKind(StrEnum):
    """The kind of a series by its header."""

    T1 = "T1"
    T1_FAT_SUPPRESSED = "fat-suppressed T1"
    T1_ENHANCED = "contrast-enhanced T1"
    T2 = "T2"
    T2_FAT_SUPPRESSED = "fat-suppressed T2"
    PROTON_DENSITY = "proton density"
    T2_STAR = "T2*"
    FLAIR = "FLAIR"
    CT = "CT"
    CT_SHARP = "CT for bone or lung"
    PET = "PET"
    PET_UNCORRECTED = "PET without attenuation correction"
    LOCALIZER = "localizer"
    DIFFUSION = "diffusion"
    ECHO_PLANAR = "echo-planar"
    COMPUTED_MAP = "computed map"
    SUBTRACTION = "subtraction"
    PROJECTION = "projection"
    REFORMAT = "reformat"
    DYNAMIC = "dynamic or perfusion"
    ANGIOGRAPHY = "angiography"
    STEADY_STATE = "balanced steady state"
    MAGNETISATION_TRANSFER = "magnetisation transfer"
    ARTHROGRAPHY = "arthrography"
    TEST_OBJECT = "image of a test object"
    FAT_IMAGE = "fat image"
    IN_OR_OPPOSED_PHASE = "in-phase or opposed-phase image"
    PHASE_IMAGE = "phase, real or imaginary image"
    SCREEN_CAPTURE = "screen capture"
    BURNED_IN = "image with burned-in annotation"
    OTHER_MODALITY = "another modality"
    PROCESSED = "processed image"
    UNKNOWN = "not recognised"


KIND_OF_REFUSAL = {
    "other-modality": SeriesKind.OTHER_MODALITY,
    "screen-capture": SeriesKind.SCREEN_CAPTURE,
    "burned-in-annotation": SeriesKind.BURNED_IN,
    "localizer": SeriesKind.LOCALIZER,
    "computed-map": SeriesKind.COMPUTED_MAP,
    "diffusion": SeriesKind.DIFFUSION,
    "echo-planar": SeriesKind.ECHO_PLANAR,
    "subtraction": SeriesKind.SUBTRACTION,
    "projection": SeriesKind.PROJECTION,
    "reformat": SeriesKind.REFORMAT,
    "dynamic": SeriesKind.DYNAMIC,
    "angiography": SeriesKind.ANGIOGRAPHY,
    "fat-image": SeriesKind.FAT_IMAGE,
    "in-or-opposed-phase": SeriesKind.IN_OR_OPPOSED_PHASE,
    "phase-image": SeriesKind.PHASE_IMAGE,
    "processed": SeriesKind.PROCESSED,
    "steady-state": SeriesKind.STEADY_STATE,
    "magnetisation-transfer": SeriesKind.MAGNETISATION_TRANSFER,
    "arthrography": SeriesKind.ARTHROGRAPHY,
    "test-object": SeriesKind.TEST_OBJECT,
}
"""Kinds that are no plain image, by the code of their refusal, the most telling first."""
