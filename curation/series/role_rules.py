"""How well a series fits a role: small rules over the header, each giving points and a reason in plain words.

The scanner's values of the physics (sequence, TR, TE, TI, scan options) weigh more than a person's description; the
description decides where the physics is absent, as in many de-identified archives, and cannot beat it. Reasons quote
the rule's own words, never the description, into which people type names.

The points of two series that are both right lie close together, however much or little their headers say: evidence is
not added up, the surest of a kind counts. So `curation.pairing.pairing` can ask for a margin before it decides.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curation.names.description_words import DescriptionWords, TextWeighting, plain, read_words
from curation.series.exclusions import exclusions
from curation.series.header_physics import (
    WATER_IMAGE,
    Weighed,
    Weighting,
    contradiction,
    fat_suppression,
    image_type_words,
    is_gradient_echo,
    is_single_shot,
    weighting,
)
from curation.series.kind import KIND_OF_REFUSAL, SeriesKind
from datasets.dicom.header import Plane, SeriesEvidence
from datasets.study.case import SeriesRole

PLAUSIBLE_SCORE = 4
"""A series with fewer points is not chosen: less than one sign of its weighting in an axial stack."""

FEWEST_SLICES = 4
"""A stack of fewer slices is a scout."""

MANY_SLICES = 10
"""Number of slices from which a stack covers a tumour with some certainty."""

REFUSED = -20
"""Points of a rule that excludes a series: more than everything else together."""

PROTON_DENSITY_TE_MS = (20.0, 60.0)
"""Between these echo times a description that says proton density may be right, whatever the limits of T1 and T2 say:
3D turbo spin echoes take it with a TR of 1100 ms, and musculoskeletal protocols with a TE of 50 ms."""

_NO_AGENT = re.compile(
    r"^(?:no\w*|n|na|n a|0+(?: ?ml)?|nil|null|(?:without|w o|ohne|sans|sin|senza|zonder|kein|nativ|unenh|unknown).*)?$"
)
"""People's words for "none" in the field of the contrast agent."""

_ROLE_OF_TEXT = {
    TextWeighting.T1: SeriesRole.T1,
    TextWeighting.T2: SeriesRole.T2,
    TextWeighting.STIR: SeriesRole.T2,
}
_SAME = {TextWeighting.STIR: TextWeighting.T2}
_FLAVOURS = {
    "T1": TextWeighting.T1,
    "T2": TextWeighting.T2,
    "STIR": TextWeighting.STIR,
    "PROTON_DENSITY": TextWeighting.PROTON_DENSITY,
    "T2_STAR": TextWeighting.T2_STAR,
    "FLUID_ATTENUATED": TextWeighting.FLAIR,
}
"""Words of an enhanced object's image type for its contrast (DICOM PS3.3 C.8.13.3.1.1)."""


@dataclass(frozen=True)
class Reason:
    """One rule's contribution.

    Args:
        points: For (positive) or against (negative).
        words: Why, in plain words without anything a person typed.
        refusal: Code of the rule that excludes the series; empty otherwise.
    """

    points: int
    words: str
    refusal: str = ""

    def __str__(self) -> str:
        return f"{self.words} ({self.points:+d})"


@dataclass(frozen=True)
class Judgement:
    """The judgement of one series in one role: its points and reasons.

    Args:
        score: Its points.
        reasons: A rule each, with its points.
        refusals: Codes of the rules that exclude it from the role whatever its points.
    """

    score: int
    reasons: tuple[str, ...]
    refusals: tuple[str, ...] = ()

    @property
    def is_plausible(self) -> bool:
        """Whether the series may be chosen."""
        return self.score >= PLAUSIBLE_SCORE and not self.refusals

    def and_also(self, *reasons: Reason) -> "Judgement":
        """This judgement with further reasons."""
        return Judgement(
            self.score + sum(reason.points for reason in reasons),
            (*self.reasons, *map(str, reasons)),
            (*self.refusals, *(reason.refusal for reason in reasons if reason.refusal)),
        )


def judge(evidence: SeriesEvidence, role: SeriesRole) -> Judgement:
    """Weighs all evidence in the header for and against a role."""
    said = words_of(evidence)
    return Judgement(0, ()).and_also(*(reason for rule in _RULES for reason in rule(evidence, said, role)))


def words_of(evidence: SeriesEvidence) -> DescriptionWords:
    """The words of the description; where there is none, those of the protocol's name if it names a weighting.

    A protocol's name may be that of the sequence, or of the whole examination ("thigh with and without contrast").
    """
    said = read_words(evidence.series_description)
    if evidence.series_description.strip():
        return said
    protocol = read_words(evidence.protocol_name)
    return protocol if protocol.weighting is not None else said


def kind_of(evidence: SeriesEvidence) -> SeriesKind:
    """The kind of the series."""
    said = words_of(evidence)
    for code in exclusions(evidence, said):
        return KIND_OF_REFUSAL[code]
    weighed = weighting(evidence)
    name = weighed.weighting.value if weighed else getattr(_said_weighting(evidence, said), "value", "")
    if name == "T1" and is_contrast_enhanced(evidence):
        return SeriesKind.T1_ENHANCED
    if name in ("T1", "T2", "STIR") and is_fat_suppressed(evidence):
        return SeriesKind.T1_FAT_SUPPRESSED if name == "T1" else SeriesKind.T2_FAT_SUPPRESSED
    return next((kind for kind in SeriesKind if kind.value == name), SeriesKind.UNKNOWN)


def is_fat_suppressed(evidence: SeriesEvidence) -> bool:
    """Whether header or description say that fat is suppressed."""
    return any(True for _ in _fat_signs(evidence, words_of(evidence)))


def is_contrast_enhanced(evidence: SeriesEvidence) -> bool:
    """Whether the header, the description or a protocol of this one weighting say that a contrast agent was given."""
    protocol = read_words(evidence.protocol_name)
    is_said = words_of(evidence).contrast or (protocol.weighting is not None and protocol.contrast)
    return is_said or _names_agent(evidence.contrast_agent)


def _names_agent(agent: str) -> bool:
    """Whether the field names an agent, in whatever script; only known words say that none was given."""
    words = plain(agent)
    return any(map(str.isalpha, agent)) if not words else not _NO_AGENT.match(words)


def _orientation(evidence: SeriesEvidence, said: DescriptionWords, role: SeriesRole) -> Iterator[Reason]:
    if evidence.plane is Plane.AXIAL:
        yield Reason(2, "axial")
    elif _is_dicom(evidence):
        yield Reason(REFUSED, f"{evidence.plane.value} orientation, not axial", "not-axial")


def _slices(evidence: SeriesEvidence, said: DescriptionWords, role: SeriesRole) -> Iterator[Reason]:
    if evidence.slice_count < FEWEST_SLICES:
        yield Reason(REFUSED, f"only {evidence.slice_count} slices, as in a scout", "too-few-slices")
    elif evidence.slice_count >= MANY_SLICES:
        yield Reason(1, f"{evidence.slice_count} slices")


def _exclusions(evidence: SeriesEvidence, said: DescriptionWords, role: SeriesRole) -> Iterator[Reason]:
    for code, why in exclusions(evidence, said).items():
        yield Reason(REFUSED, f"{KIND_OF_REFUSAL[code].value}: {why}", code)


def _weighting(evidence: SeriesEvidence, said: DescriptionWords, role: SeriesRole) -> Iterator[Reason]:
    """Physics first; the description where it is silent, and a point where it agrees."""
    weighed = weighting(evidence)
    if weighed is not None and not (weighed.weighting is Weighting.T1 and is_gradient_echo(evidence)):
        text, echo_time = _said_weighting(evidence, said), evidence.echo_time_ms or 0.0
        yield from _by_physics(weighed, text, role, echo_time=echo_time)
    elif weighed is not None and role is SeriesRole.T2:
        yield Reason(REFUSED, weighed.words, "t1-weighted")
    else:
        yield from _by_text(evidence, _said_weighting(evidence, said), role)


def _by_physics(
    weighed: Weighed, text: TextWeighting | None, role: SeriesRole, *, echo_time: float
) -> Iterator[Reason]:
    if weighed.weighting is Weighting.SCOUT:
        return
    if weighed.weighting.value != role.value.upper():
        yield Reason(REFUSED, weighed.words, _code_of(weighed.weighting.value))
        return
    if text is TextWeighting.PROTON_DENSITY and PROTON_DENSITY_TE_MS[0] <= echo_time <= PROTON_DENSITY_TE_MS[1]:
        yield Reason(REFUSED, f"the description says {text.value}, and the times allow it", _code_of(text.value))
        return
    yield Reason(4, weighed.words)
    if text is not None and _ROLE_OF_TEXT.get(text) is role:
        yield Reason(1, f"the description says {text.value}")
    elif text is not None:
        yield Reason(-1, f"the description says {text.value}, which the times contradict")


def _by_text(evidence: SeriesEvidence, text: TextWeighting | None, role: SeriesRole) -> Iterator[Reason]:
    """The weighting by the description where the times do not tell it, unless they contradict it."""
    against = contradiction(evidence, Weighting(role.value.upper()))
    if against:
        yield Reason(REFUSED, against, "times-contradict")
    elif text is None:
        yield Reason(REFUSED, "nothing says how it is weighted", "weighting-unknown")
    elif _ROLE_OF_TEXT.get(text) is role:
        yield Reason(3, f"the description says {text.value}")
    else:
        yield Reason(REFUSED, f"the description says {text.value}", _code_of(text.value))


def _fat(evidence: SeriesEvidence, said: DescriptionWords, role: SeriesRole) -> Iterator[Reason]:
    """T2 must be fat-suppressed, T1 must not. A NIfTI name without such words proves nothing and is not refused.

    A description that the times contradict may still be right about fat, so it excludes a T1 but does not admit a T2.
    """
    signs = fat_suppression(evidence) if _is_of_another(evidence, said) else _fat_signs(evidence, said)
    sign = next(signs if role is SeriesRole.T2 else _fat_signs(evidence, said), "")
    if sign and role is SeriesRole.T2:
        yield Reason(3, f"fat-suppressed: {sign}")
    elif sign:
        yield Reason(REFUSED, f"fat-suppressed: {sign}", "fat-suppressed")
    elif role is SeriesRole.T2 and _is_dicom(evidence):
        yield Reason(REFUSED, "nothing says that fat is suppressed", "not-fat-suppressed")


def _contrast(evidence: SeriesEvidence, said: DescriptionWords, role: SeriesRole) -> Iterator[Reason]:
    if is_contrast_enhanced(evidence) and role is SeriesRole.T1:
        yield Reason(REFUSED, "contrast-enhanced", "contrast-enhanced")
    elif is_contrast_enhanced(evidence):
        yield Reason(-1, "contrast-enhanced")


def _lesser(evidence: SeriesEvidence, said: DescriptionWords, role: SeriesRole) -> Iterator[Reason]:
    """Small points against a series beside one that is otherwise alike."""
    if evidence.image_type[:1] == ("DERIVED",) and not image_type_words(evidence) & WATER_IMAGE:
        yield Reason(-1, "derived from other images")
    if role is SeriesRole.T1 and is_gradient_echo(evidence):
        yield Reason(-1, "gradient echo, not spin echo")
    if role is SeriesRole.T2 and (is_single_shot(evidence) or said.single_shot):
        yield Reason(-1, "single-shot")


_RULES: tuple[Callable[[SeriesEvidence, DescriptionWords, SeriesRole], Iterator[Reason]], ...] = (
    _exclusions,
    _orientation,
    _slices,
    _weighting,
    _fat,
    _contrast,
    _lesser,
)


def _said_weighting(evidence: SeriesEvidence, said: DescriptionWords) -> TextWeighting | None:
    """The weighting by the image type of an enhanced object, or else by the description."""
    flavour = next((_FLAVOURS[word] for word in sorted(image_type_words(evidence)) if word in _FLAVOURS), None)
    return flavour or said.weighting


def _fat_signs(evidence: SeriesEvidence, said: DescriptionWords) -> Iterator[str]:
    yield from fat_suppression(evidence)
    if said.fat_suppressed:
        yield "the description says so"


def _is_of_another(evidence: SeriesEvidence, said: DescriptionWords) -> bool:
    """Whether the times contradict the description's weighting: it was then written for another series."""
    weighed = weighting(evidence)
    if weighed is None or said.weighting is None:
        return False
    return _SAME.get(said.weighting, said.weighting).value != weighed.weighting.value


def _is_dicom(evidence: SeriesEvidence) -> bool:
    """A NIfTI file has neither modality nor class."""
    return bool(evidence.modality or evidence.sop_class)


def _code_of(name: str) -> str:
    """``T2`` to ``t2-weighted``."""
    return f"{name.lower().replace('*', '-star').replace(' ', '-')}-weighted"
