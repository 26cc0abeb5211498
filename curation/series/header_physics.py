"""Weighting and fat suppression of a series by the physics in its header: the sequence and its times.

The limits are those of clinical protocols at 0.2 to 3 T. Times between them do not tell the weighting, and then none is
given, since a guess may be wrong.

Sources: McRobbie et al., MRI from Picture to Proton, 3rd edition, chapters 3 and 12 (weighting by TR, TE and TI);
Del Grande et al., Fat-suppression techniques for 3-T MR imaging of the musculoskeletal system, RadioGraphics 34 (2014);
DICOM PS3.3 C.8.3.1 (MR Image); Siemens', GE's and Philips' DICOM conformance statements for the words of scan options.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from datasets.dicom.header import SeriesEvidence

STIR_TI_MS = (70.0, 260.0)
"""Inversion times that null fat: 0.69 times its T1, which is some 150 ms at 0.2 T and 380 ms at 3 T."""

T1_TI_MS = (300.0, 1300.0)
"""Inversion times of T1-weighted inversion recovery ("T1 FLAIR"), which nulls neither fat nor fluid."""

FLAIR_TI_MS = 1500.0
"""Shortest inversion time that nulls fluid, as FLAIR does."""

SHORT_TR_MS = 1200.0
"""A spin echo with a shorter repetition time is T1-weighted when its echo is short: up to this at 3 T."""

LONG_TR_MS = 1500.0
"""A spin echo with a longer repetition time is no longer T1-weighted."""

STIR_SHORTEST_TR_MS = 1000.0
"""Low-field scanners take STIR with repetition times that would be short elsewhere. Below `LONG_TR_MS` the sequence
must be an inversion recovery by name: the spectral inversion (SPIR, SPAIR) of a T1 has inversion times like STIR's."""

SHORT_TE_MS = 35.0
"""A spin echo with a longer echo time is not purely T1- or proton density-weighted."""

T2_TE_MS = 45.0
"""A spin echo with a longer echo time is T2-weighted. Between 35 and 45 ms radiologists call the same images proton
density-weighted, intermediate or T2-weighted."""

HEAVY_T2_TE_MS = 250.0
"""A longer echo time shows fluid only, as in urography."""

SINGLE_SHOT_TE_MS = 70.0
"""Single-shot sequences have no repetition; what their header gives as TR may be short, and TE alone tells."""

GRADIENT_T1_TE_MS = 8.0
"""A spoiled gradient echo with a longer echo time is T2*-weighted; twice that at low field, where T2* is longer."""

LOW_FIELD_T = 0.6
"""Field strength below which T1 and T2, and so the times, are those of low-field magnets."""

SCOUT_TR_MS = 20.0
"""A two-dimensional gradient echo with a shorter repetition time is a scout or a film."""

SINGLE_SHOT_ECHOES = 80
"""Echo train length with which one excitation fills an image (single shot)."""


LONG_TRAIN = 16
LONG_TRAIN_TR_MS = 900.0
"""Of so many echoes the header's echo time says little, and with such a repetition time the image may be proton
density-weighted (3D turbo spin echoes with variable flip angles): the times then do not tell."""

LONGEST_DENSITY_TE_MS = 60.0
"""Musculoskeletal protocols take proton density with echo times up to 50 ms; longer ones are T2-weighted."""


class Weighting(StrEnum):
    """The weighting of a sequence."""

    T1 = "T1"
    T2 = "T2"
    PROTON_DENSITY = "proton density"
    T2_STAR = "T2*"
    FLAIR = "FLAIR"
    SCOUT = "scout"


@dataclass(frozen=True)
class Weighed:
    """A weighting and the reason for it."""

    weighting: Weighting
    words: str


def weighting(evidence: SeriesEvidence) -> Weighed | None:
    """The weighting by sequence and times; None where they do not tell."""
    if is_echo_planar(evidence):
        return None
    if is_stir(evidence):
        return Weighed(Weighting.T2, f"TI {evidence.inversion_time_ms:.0f} ms{_with_times(evidence)}: STIR")
    return _gradient_echo(evidence) if is_gradient_echo(evidence) else _spin_echo(evidence)


def contradiction(evidence: SeriesEvidence, claimed: Weighting) -> str:
    """Why the times contradict the weighting in a description; empty where they do not.

    Args:
        evidence: Header values of a series whose weighting the times do not tell.
        claimed: The description's.
    """
    tr, te, ti = (evidence.repetition_time_ms or 0.0, evidence.echo_time_ms or 0.0, evidence.inversion_time_ms or 0.0)
    is_inverted = "IR" in _sequence(evidence) or ti > 0
    if claimed is Weighting.T1 and te > T2_TE_MS:
        return f"TE {te:.0f} ms is too long for T1"
    if claimed is Weighting.T1 and tr >= LONG_TR_MS and not is_inverted:
        return f"TR {tr:.0f} ms is too long for T1"
    if claimed is Weighting.T2 and 0 < te <= SHORT_TE_MS and not is_inverted:
        return f"TE {te:.0f} ms is too short for T2"
    if claimed is Weighting.T2 and 0 < tr < STIR_SHORTEST_TR_MS and not is_single_shot(evidence):
        return f"TR {tr:.0f} ms is too short for T2"
    if claimed is Weighting.PROTON_DENSITY and te > LONGEST_DENSITY_TE_MS:
        return f"TE {te:.0f} ms is too long for proton density"
    if claimed in (Weighting.PROTON_DENSITY, Weighting.FLAIR) and 0 < tr < LONG_TRAIN_TR_MS:
        return f"TR {tr:.0f} ms is too short for {claimed.value}"
    if claimed is Weighting.FLAIR and 0 < ti < FLAIR_TI_MS:
        return f"TI {ti:.0f} ms does not null fluid"
    return ""


def is_echo_planar(evidence: SeriesEvidence) -> bool:
    """Whether the sequence is echo-planar: neither a T1 nor a T2 for reading tumours."""
    return "EP" in _sequence(evidence) or bool(re.match(r"(ep|re)[_\d]|ep2d|epse|epfid", _name(evidence)))


def is_gradient_echo(evidence: SeriesEvidence) -> bool:
    """Whether the sequence is a gradient echo."""
    sequence = _sequence(evidence)
    return bool(_GRADIENT_NAME.match(_name(evidence))) or ("SE" not in sequence and bool(sequence & {"GR", "GE", "FE"}))


def is_steady_state(evidence: SeriesEvidence) -> bool:
    """Whether the sequence is a balanced steady state (TrueFISP, FIESTA, balanced FFE), whose contrast is T2/T1."""
    variant = {value.upper() for value in evidence.sequence_variant}
    named = re.match(r"t?fi[23]d|tfi|fiesta|b ?ffe|trufi|ssfp|ci[23]d|de[23]d", _name(evidence))
    return bool(named) or (is_gradient_echo(evidence) and "SS" in variant and "SP" not in variant)


def is_single_shot(evidence: SeriesEvidence) -> bool:
    """Whether one excitation fills an image (HASTE, SSFSE): fast and blurred."""
    is_long_train = (evidence.echo_train_length or 0) >= SINGLE_SHOT_ECHOES
    named = re.match(r"hr?2d|ssfse|sshtse|fase", _name(evidence))
    return bool(named) or (is_long_train and evidence.mr_acquisition_type != "3D")


def is_stir(evidence: SeriesEvidence) -> bool:
    """Whether the inversion nulls fat."""
    ti, tr = evidence.inversion_time_ms, evidence.repetition_time_ms
    if not ti or not STIR_TI_MS[0] <= ti <= STIR_TI_MS[1]:
        return False
    shortest = STIR_SHORTEST_TR_MS if "IR" in _sequence(evidence) else LONG_TR_MS
    return tr is None or tr >= shortest


def fat_suppression(evidence: SeriesEvidence) -> Iterator[str]:
    """Every sign in the header, the free text aside, that fat is suppressed."""
    options = {option.upper().strip() for option in evidence.scan_options}
    if found := sorted(option for option in options if _FAT_SUPPRESSING_OPTION.fullmatch(option)):
        yield f"scan options {', '.join(found)}"
    if is_stir(evidence):
        yield f"TI {evidence.inversion_time_ms:.0f} ms nulls fat"
    if image_type_words(evidence) & WATER_IMAGE:
        yield "Dixon water image"
    if "STIR" in image_type_words(evidence):
        yield "image type STIR"
    if re.search(r"stir|fatsat|_fs|spair|spir", _name(evidence)):
        yield "the sequence's name says so"


def image_type_words(evidence: SeriesEvidence) -> frozenset[str]:
    """The image type's own words, upper case: of the third value on, where scanners say what the image shows."""
    return frozenset(value.upper().strip() for value in evidence.image_type[2:])


def _spin_echo(evidence: SeriesEvidence) -> Weighed | None:
    tr, te, ti = (evidence.repetition_time_ms or 0.0, evidence.echo_time_ms or 0.0, evidence.inversion_time_ms or 0.0)
    times = _times(evidence)
    if "IR" in _sequence(evidence) and T1_TI_MS[0] <= ti <= T1_TI_MS[1] and 0 < te <= SHORT_TE_MS:
        return Weighed(Weighting.T1, f"TI {ti:.0f} ms{_with_times(evidence)}: T1-weighted")
    if ti >= FLAIR_TI_MS:
        return Weighed(Weighting.FLAIR, f"TI {ti:.0f} ms nulls fluid")
    if 0 < tr <= SHORT_TR_MS and 0 < te <= SHORT_TE_MS:
        if tr >= LONG_TRAIN_TR_MS and (evidence.echo_train_length or 0) >= LONG_TRAIN:
            return None
        return Weighed(Weighting.T1, f"{times}: T1-weighted")
    if tr >= LONG_TR_MS and 0 < te <= SHORT_TE_MS and "IR" not in _sequence(evidence):
        return Weighed(Weighting.PROTON_DENSITY, f"{times}: proton density-weighted")
    is_long = tr == 0 or tr >= LONG_TR_MS or (is_single_shot(evidence) and te >= SINGLE_SHOT_TE_MS)
    if T2_TE_MS < te <= HEAVY_T2_TE_MS and is_long:
        return Weighed(Weighting.T2, f"{times}: T2-weighted")
    return None


def _gradient_echo(evidence: SeriesEvidence) -> Weighed | None:
    tr, te = evidence.repetition_time_ms, evidence.echo_time_ms
    is_low_field = 0 < (evidence.field_strength_t or 0) < LOW_FIELD_T
    if te is not None and te >= GRADIENT_T1_TE_MS * (2 if is_low_field else 1):
        return Weighed(Weighting.T2_STAR, f"gradient echo with TE {te:.0f} ms: T2*-weighted")
    if tr is not None and tr < SCOUT_TR_MS and evidence.mr_acquisition_type != "3D":
        return Weighed(Weighting.SCOUT, f"gradient echo with TR {tr:.0f} ms: a scout")
    return Weighed(Weighting.T1, "gradient echo with a short echo time: T1-weighted") if te else None


def _sequence(evidence: SeriesEvidence) -> frozenset[str]:
    return frozenset(value.upper().strip() for value in evidence.scanning_sequence)


def _name(evidence: SeriesEvidence) -> str:
    """The scanner's word for the sequence in lower case, without Siemens' leading star."""
    return evidence.sequence_name.lower().strip().lstrip("*_")


def _times(evidence: SeriesEvidence) -> str:
    named = (("TR", evidence.repetition_time_ms), ("TE", evidence.echo_time_ms))
    return " and ".join(f"{name} {value:.0f} ms" for name, value in named if value)


def _with_times(evidence: SeriesEvidence) -> str:
    times = _times(evidence)
    return f" with {times}" if times else ""


_GRADIENT_NAME = re.compile(r"t?fl[23]?d|tfl|fi[23]d|me[23]d|gre|fgre|ffe|fspgr|spgr|lava|vibe|thrive|quick3d")

WATER_IMAGE = frozenset({"WATER", "W", "DIXON_WATER", "WATER_ONLY"})
"""Words of the image type for the water image of a Dixon measurement."""

_FAT_SUPPRESSING_OPTION = re.compile(
    r"(FS|SFS|FAT[_ ]?SAT|FAT[_ ]?SUP\w*|A?SP[AI]+R|WE|WATER_?EXC\w*|PROSET|CHESS|PASTA|MSOFT|STIR|DIXW|WATER)(_GEMS)?"
)
"""Words of scan options that mean fat suppression. GE's ``FSA_GEMS`` to ``FSL_GEMS`` say in which direction the readout
runs, and are none of them."""
