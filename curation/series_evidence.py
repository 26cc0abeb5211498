"""How well a series fits a role: small rules over the header, each giving points and a reason in plain words.

What the scanner wrote about the physics (sequence, TR, TE, TI, scan options) weighs more than what a person typed into
the description; the description decides where the physics is absent, as in many de-identified archives. Reasons quote
the rule's own words, never the description, into which people type names.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curation.series_kind import SeriesKind
from datasets.case import SeriesRole
from datasets.dicom_header import Plane, SeriesEvidence

PLAUSIBLE_SCORE = 4
"""A series with fewer points is not chosen: less than one sure sign of its weighting in an axial stack."""

FEWEST_SLICES = 5
"""A stack of fewer slices is a scout."""

_T1_TEXT = re.compile(r"\b[se]?t1")
_T2_TEXT = re.compile(r"\b[se]?t2(?! ?(\*|star|map))")
_STIR_TEXT = re.compile(r"\b(stir|tirm)")
_FAT_SUPPRESSED_TEXT = re.compile(
    r"\b(fs|fat ?sat\w*|fat ?sup\w*|sp[ai]+r|stir|tirm|chess|water|we)\b|\bt[12][a-z]*fs\b|\bfst[12]|dixon.* w\b"
)
_NOT_FAT_SUPPRESSED_TEXT = re.compile(r"\b(no|non|without|w o)( fat)? ?(fs|sat\w*|fat ?sat\w*|sup\w*)\b")
_CONTRAST_TEXT = re.compile(r"\b(gd|gad\w*|post|ce|km|contrast|dotarem|magnevist|t1(c|ce|gd|post))\b|\+ ?(c|gd|km)\b")
_NO_CONTRAST_TEXT = re.compile(r"\b(no|non|without|w o|pre) ?(contrast|gd|gad\w*|km|c)\b|\b(pre|nativ\w*)\b")
_SCOUT_TEXT = re.compile(r"\b(loc|locali[sz]er|scout|survey|topogram|calibration|3 ?plane|a+(head|knee)?scout)\b")
_OTHER_KIND_TEXT = re.compile(
    r"\b(dwi|dti|adc|diff\w*|trace|ep2d|epi|sub(tract\w*)?|mip|mpr|perf\w*|dce|dyn\w*|map|twist|angio|mra|tof|swi|pd)\b"
    r"|\bt2 ?(\*|star|map)|(in|opp) ?(phase|ph)\b|dixon.* f\b"
)
_OTHER_KIND_TYPES = frozenset(
    {"ADC", "MIP", "MPR", "PROJECTION IMAGE", "SUBTRACTION", "SUB", "T2 MAP", "T1 MAP", "TRACEW", "DIFFUSION", "FAT",
     "IN_PHASE", "OPP_PHASE", "OUT_PHASE", "SCREEN SAVE"}
)  # fmt: skip
_FAT_SUPPRESSING_OPTIONS = frozenset({"FS", "FATSAT", "FAT_SAT", "SFS", "SPIR", "SPAIR", "WE", "FSS", "FSI"})


@dataclass(frozen=True)
class Reason:
    """One rule's contribution.

    Args:
        points: For (positive) or against (negative).
        words: Why, in plain words without anything a person typed.
    """

    points: int
    words: str

    def __str__(self) -> str:
        return f"{self.words} ({self.points:+d})"


@dataclass(frozen=True)
class Judgement:
    """How well one series fits one role.

    Args:
        score: Its points.
        reasons: A rule each, with its points.
        refusals: Codes of what keeps it from the role whatever its points.
    """

    score: int
    reasons: tuple[str, ...]
    refusals: tuple[str, ...] = ()

    @property
    def is_plausible(self) -> bool:
        """Whether the series may be chosen."""
        return self.score >= PLAUSIBLE_SCORE and not self.refusals


def judge(evidence: SeriesEvidence, role: SeriesRole) -> Judgement:
    """Weighs everything the header says for and against a role."""
    reasons = [reason for rule in _RULES for reason in rule(evidence, role)]
    return Judgement(sum(reason.points for reason in reasons), tuple(map(str, reasons)))


def kind_of(evidence: SeriesEvidence) -> SeriesKind:
    """What the series is."""
    if judge(evidence, SeriesRole.T1).is_plausible:
        return SeriesKind.T1_ENHANCED if is_contrast_enhanced(evidence) else SeriesKind.T1
    if judge(evidence, SeriesRole.T2).is_plausible:
        return SeriesKind.T2_FAT_SUPPRESSED if is_fat_suppressed(evidence) else SeriesKind.T2
    return SeriesKind.UNKNOWN


def is_fat_suppressed(evidence: SeriesEvidence) -> bool:
    """Whether header or description say that fat is suppressed."""
    return any(True for _ in _fat_suppression(evidence))


def is_contrast_enhanced(evidence: SeriesEvidence) -> bool:
    """Whether header or description say that a contrast agent was given."""
    agent = evidence.contrast_agent.strip().upper()
    text = _plain(evidence.series_description)
    said = bool(_CONTRAST_TEXT.search(text)) and not _NO_CONTRAST_TEXT.search(text)
    return said or (bool(agent) and agent not in {"NO", "NONE", "N", "-", "NO CONTRAST"})


def _modality(evidence: SeriesEvidence, role: SeriesRole) -> Iterator[Reason]:
    if evidence.modality not in ("MR", ""):
        yield Reason(-20, "not magnetic resonance")


def _orientation(evidence: SeriesEvidence, role: SeriesRole) -> Iterator[Reason]:
    if evidence.orientation is Plane.AXIAL:
        yield Reason(2, "axial")
    elif evidence.modality:
        yield Reason(-10, f"{evidence.orientation.value} orientation, not axial")


def _coverage(evidence: SeriesEvidence, role: SeriesRole) -> Iterator[Reason]:
    if evidence.slice_count < FEWEST_SLICES:
        yield Reason(-10, f"only {evidence.slice_count} slices, as in a scout")
    elif evidence.slice_count >= 2 * FEWEST_SLICES:
        yield Reason(1, f"{evidence.slice_count} slices")


def _timing(evidence: SeriesEvidence, role: SeriesRole) -> Iterator[Reason]:
    weighting = _weighting(evidence)
    if weighting is None:
        return
    name, words = weighting
    yield Reason(4 if name == role.value else -6, words)


def _weighting(evidence: SeriesEvidence) -> tuple[str, str] | None:
    """What TR, TE and TI say: ``t1``, ``t2`` or another weighting, and why; None where they say nothing."""
    tr, te, ti = evidence.repetition_time_ms, evidence.echo_time_ms, evidence.inversion_time_ms
    if "EP" in evidence.scanning_sequence:
        return "other", "echo-planar sequence"
    if not tr or not te:
        return None
    times = f"TR {tr:.0f} ms and TE {te:.0f} ms"
    if "GR" in evidence.scanning_sequence and "SE" not in evidence.scanning_sequence:
        return ("t1", f"gradient echo with TE {te:.0f} ms: T1-weighted") if te < 10 else ("other", "T2*-weighted")
    if ti and 80 <= ti <= 260 and tr >= 1500:
        return "t2", f"TI {ti:.0f} ms with {times}: STIR"
    if tr <= 1200 and te <= 40:
        return "t1", f"{times}: T1-weighted"
    if tr >= 1500 and te >= 45:
        return "t2", f"{times}: T2-weighted"
    return "other", f"{times}: neither T1- nor T2-weighted"


def _description(evidence: SeriesEvidence, role: SeriesRole) -> Iterator[Reason]:
    text = _plain(evidence.series_description)
    is_t1, is_t2, is_stir = (bool(pattern.search(text)) for pattern in (_T1_TEXT, _T2_TEXT, _STIR_TEXT))
    if is_t1 and (is_t2 or is_stir):
        return
    for found, means, points, word in (
        (is_t1, SeriesRole.T1, 3, "T1"),
        (is_t2, SeriesRole.T2, 3, "T2"),
        (is_stir and not is_t2, SeriesRole.T2, 2, "STIR"),
    ):
        if found:
            yield Reason(points if means is role else -5, f"the description says {word}")


def _fat(evidence: SeriesEvidence, role: SeriesRole) -> Iterator[Reason]:
    for words in _fat_suppression(evidence):
        yield Reason(3 if role is SeriesRole.T2 else -3, f"fat-suppressed: {words}")
        return


def _fat_suppression(evidence: SeriesEvidence) -> Iterator[str]:
    text = _plain(evidence.series_description)
    options = {option.upper().strip() for option in evidence.scan_options}
    ti, tr = evidence.inversion_time_ms, evidence.repetition_time_ms
    if options & _FAT_SUPPRESSING_OPTIONS:
        yield f"scan options {', '.join(sorted(options & _FAT_SUPPRESSING_OPTIONS))}"
    if ti and 80 <= ti <= 260 and (tr is None or tr >= 1500):
        yield f"TI {ti:.0f} ms nulls fat"
    if "WATER" in evidence.image_type:
        yield "Dixon water image"
    if _FAT_SUPPRESSED_TEXT.search(text) and not _NOT_FAT_SUPPRESSED_TEXT.search(text):
        yield "the description says so"


def _contrast(evidence: SeriesEvidence, role: SeriesRole) -> Iterator[Reason]:
    if is_contrast_enhanced(evidence):
        yield Reason(-4 if role is SeriesRole.T1 else -1, "contrast-enhanced")


def _kind(evidence: SeriesEvidence, role: SeriesRole) -> Iterator[Reason]:
    text = _plain(evidence.series_description)
    types = {value.upper() for value in evidence.image_type}
    if "LOCALIZER" in types or _SCOUT_TEXT.search(text):
        yield Reason(-10, "a localizer")
    if types & _OTHER_KIND_TYPES or _OTHER_KIND_TEXT.search(text):
        yield Reason(-8, "a map, a reformat or another kind of sequence")
    if evidence.image_type[:1] == ("DERIVED",) and "WATER" not in types:
        yield Reason(-2, "derived from other images")


_RULES: tuple[Callable[[SeriesEvidence, SeriesRole], Iterator[Reason]], ...] = (
    _modality,
    _orientation,
    _coverage,
    _timing,
    _description,
    _fat,
    _contrast,
    _kind,
)


def _plain(text: str) -> str:
    """Lower case, every sign but ``+`` and ``*`` a space."""
    return " ".join(re.sub(r"[^a-z0-9+*]+", " ", text.lower()).split())
