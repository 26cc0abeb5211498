"""Series that are no plain image for reading a tumour, whatever their times: recognised and named.

The image type, which the scanner writes, and the sequence tell most of them; the words of the description the rest.
"""

from collections.abc import Iterator

from curation.names.description_words import DescriptionWords
from curation.series.ct_words import ct_kinds
from curation.series.header_physics import (
    Weighting,
    image_type_words,
    is_echo_planar,
    is_gradient_echo,
    is_steady_state,
    weighting,
)
from curation.series.kind import KIND_OF_REFUSAL
from curation.series.pet_rules import pet_kinds
from datasets.dicom.header import SeriesEvidence
from datasets.dicom.sop_classes import CAPTURES
from datasets.study.protocol import Modality

DUAL_ECHO = 2
"""Proton density and T2 may be the two echoes of one measurement; more echoes are taken to compute a map."""

_IMAGE_TYPES = {
    "localizer": ("LOCALIZER", "SCOUT", "SURVEY"),
    "computed-map": (
        "ADC", "EADC", "FA", "MAP", "T1 MAP", "T2 MAP", "T1_MAP", "T2_MAP", "T2STAR_MAP", "R2_MAP", "R2STAR_MAP",
        "QMAP", "SYNTHETIC", "FAT_FRACTION", "FAT_FRAC", "FF", "WATER_FRACTION", "CBF", "CBV", "MTT", "TTP", "KTRANS",
        "B0", "B1", "QUANTITY", "STD_DEVIATION",
    ),
    "diffusion": ("DIFFUSION", "TRACEW", "DWI", "TENSOR", "DIFFUSION_ANISO", "CALC_BVALUE"),
    "subtraction": ("SUBTRACTION", "SUB", "SUBTRACT"),
    "projection": (
        "MIP", "CSA MIP", "MIN IP", "MINIP", "MNIP", "MAX_IP", "MIN_IP", "PJN", "PROJECTION IMAGE", "VRT",
        "VOLUME_RENDER", "MAXIMUM", "MINIMUM",
    ),
    "reformat": (
        "MPR", "CSA MPR", "MPR THICK", "CSA MPR THICK", "CSAMPR", "REFORMATTED", "CPR", "RESAMPLED", "CSARESAMPLED",
    ),
    "dynamic": ("PERFUSION", "DYNAMIC", "TIC"),
    "angiography": ("TOF", "ANGIO", "ANGIO_TIME", "VASCULAR", "VELOCITY", "VELOCITY MAP", "FLOW_ENCODED"),
    "fat-image": ("FAT", "F", "DIXON_FAT", "FAT_ONLY"),
    "in-or-opposed-phase": (
        "IN_PHASE", "IN-PHASE", "INPHASE", "IP", "OPP_PHASE", "OUT_PHASE", "OUT-PHASE", "OUTPHASE", "OP",
        "OPPOSED_PHASE", "WFIP", "WFOP",
    ),
    "phase-image": ("P", "PHASE", "PHASE MAP", "PHASE_MAP", "R", "REAL", "I", "IMAGINARY"),
    "screen-capture": ("SCREEN SAVE", "SCREENSHOT", "SCREEN_CAPTURE", "POSDISP", "GSP"),
}  # fmt: skip
"""The manufacturers' and the standard's words in the image type of MR images, by the code of the refusal."""

_PLAIN_UNITS = frozenset({"HU", "HU_MOD", "US", ""})
"""Rescale types of a CT's plain images; others are maps of a dual energy measurement (DICOM PS3.3 C.11.1.1.2)."""

_NOT_BY = {
    Modality.MR: "not magnetic resonance",
    Modality.CT: "not computed tomography",
    Modality.PET: "not positron emission tomography",
}

_ANGIOGRAPHY_OPTIONS = frozenset({"VASCTOF_GEMS", "IFLOW_GEMS"})


def exclusions(evidence: SeriesEvidence, words: DescriptionWords, modality: Modality = Modality.MR) -> dict[str, str]:
    """Refusals that keep a series from being an image of a modality, by code, with the reason; most telling first."""
    found: dict[str, str] = {}
    for code, why in (*_by_class(evidence, modality), *_BY_HEADER[modality](evidence)):
        found.setdefault(code, why)
    for code in words.kinds if modality is Modality.MR else _SAID[modality](evidence):
        found.setdefault(code, "the description says so")
    return {code: found[code] for code in KIND_OF_REFUSAL if code in found}


def _by_class(evidence: SeriesEvidence, modality: Modality) -> Iterator[tuple[str, str]]:
    if evidence.modality not in (modality, ""):
        yield "other-modality", _NOT_BY[modality]
    if evidence.sop_class.startswith(CAPTURES):
        yield "screen-capture", "a secondary capture"
    if evidence.burned_in_annotation == "YES":
        yield "burned-in-annotation", "the header says that text is burned in"


def _of_mr(evidence: SeriesEvidence) -> Iterator[tuple[str, str]]:
    yield from _by_image_type(evidence)
    yield from _by_sequence(evidence)


def _of_ct_or_pet(evidence: SeriesEvidence) -> Iterator[tuple[str, str]]:
    if evidence.is_localizer:
        yield "localizer", "the image type says so"
    if evidence.is_capture:
        yield "screen-capture", "the image type says so"
    said = image_type_words(evidence)
    for code in ("projection", "reformat", "subtraction", "computed-map", "dynamic"):
        if found := sorted(said & set(_IMAGE_TYPES[code])):
            yield code, f"image type {', '.join(found)}"
    if evidence.is_reformat or any("MPR" in value.split() for value in said):
        yield "reformat", "the image type says so"
    if evidence.modality == Modality.CT and evidence.units.upper() not in _PLAIN_UNITS:
        yield "computed-map", "its values are no Hounsfield units"


def _by_image_type(evidence: SeriesEvidence) -> Iterator[tuple[str, str]]:
    said = image_type_words(evidence)
    for code, names in _IMAGE_TYPES.items():
        if found := sorted(said & set(names)):
            yield code, f"image type {', '.join(found)}"
    if "SECONDARY" in evidence.image_type[:2]:
        yield "processed", "made after the examination from other images"


def _by_sequence(evidence: SeriesEvidence) -> Iterator[tuple[str, str]]:
    if evidence.b_value:
        yield "diffusion", f"b-value {evidence.b_value:.0f} s/mm²"
    if is_echo_planar(evidence):
        yield "echo-planar", "echo-planar sequence"
    if is_steady_state(evidence):
        yield "steady-state", "balanced steady state"
    variant = {value.upper() for value in evidence.sequence_variant}
    options = {value.upper() for value in evidence.scan_options}
    if "TOF" in variant or options & _ANGIOGRAPHY_OPTIONS:
        yield "angiography", "time of flight"
    if "MTC" in variant:
        yield "magnetisation-transfer", "magnetisation transfer"
    if evidence.temporal_positions > 1 and is_gradient_echo(evidence):
        yield "dynamic", f"{evidence.temporal_positions} times of one place"
    if evidence.number_of_echoes > DUAL_ECHO:
        yield "computed-map", f"one of {evidence.number_of_echoes} echoes"
    weighed = weighting(evidence)
    if weighed is not None and weighed.weighting is Weighting.SCOUT:
        yield "localizer", weighed.words


_BY_HEADER = {Modality.MR: _of_mr, Modality.CT: _of_ct_or_pet, Modality.PET: _of_ct_or_pet}
_SAID = {Modality.CT: ct_kinds, Modality.PET: pet_kinds}
