"""Rules for MR images: weighting, fat suppression, and small points between images that are otherwise alike."""

from collections.abc import Iterator

from curation.names.description_words import DescriptionWords, TextWeighting
from curation.series.header_physics import (
    WATER_IMAGE,
    Weighed,
    contradiction,
    fat_suppression,
    image_type_words,
    is_gradient_echo,
    is_single_shot,
    weighting,
)
from curation.series.header_physics import Weighting as Physics
from curation.series.judgement import REFUSED, Reason
from curation.series.signs import fat_signs, is_from_header, is_of_another, said_weighting
from datasets.dicom.header import SeriesEvidence
from datasets.study.protocol import ImageRole, Wanted, Weighting

PROTON_DENSITY_TE_MS = (20.0, 60.0)
"""Between these echo times a description that says proton density may be right, whatever the limits of T1 and T2 say:
3D turbo spin echoes take it with a TR of 1100 ms, and musculoskeletal protocols with a TE of 50 ms."""

_WEIGHTING_OF_TEXT = {
    TextWeighting.T1: Weighting.T1,
    TextWeighting.T2: Weighting.T2,
    TextWeighting.STIR: Weighting.T2,
    TextWeighting.PROTON_DENSITY: Weighting.PROTON_DENSITY,
    TextWeighting.T2_STAR: Weighting.T2_STAR,
    TextWeighting.FLAIR: Weighting.FLAIR,
}
_SINGLE_SHOT_IS_LESS = frozenset({Weighting.T2, Weighting.PROTON_DENSITY, Weighting.FLAIR})


def judge_weighting(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    """Physics first; the description where it is silent, and a point where it agrees."""
    wanted = image.weighting
    if wanted is None:
        yield Reason(4, "magnetic resonance of any weighting")
        return
    weighed, text = weighting(evidence), said_weighting(evidence, said)
    if weighed is not None and not (weighed.weighting is Physics.T1 and is_gradient_echo(evidence)):
        yield from _by_physics(weighed, text, wanted, echo_time=evidence.echo_time_ms or 0.0)
    elif weighed is not None and wanted is not Weighting.T1:
        yield Reason(REFUSED, weighed.words, "t1-weighted")
    else:
        yield from _by_text(evidence, text, wanted)


def _by_physics(
    weighed: Weighed, text: TextWeighting | None, wanted: Weighting, *, echo_time: float
) -> Iterator[Reason]:
    is_said_density = text is TextWeighting.PROTON_DENSITY
    may_be_density = is_said_density and PROTON_DENSITY_TE_MS[0] <= echo_time <= PROTON_DENSITY_TE_MS[1]
    if weighed.weighting is Physics.SCOUT:
        return
    if may_be_density and wanted is Weighting.PROTON_DENSITY and weighed.weighting.value != wanted.value:
        yield Reason(3, "the description says proton density, and the times allow it")
        return
    if weighed.weighting.value != wanted.value:
        yield Reason(REFUSED, weighed.words, _code_of(weighed.weighting.value))
        return
    if may_be_density and wanted is not Weighting.PROTON_DENSITY:
        yield Reason(REFUSED, "the description says proton density, and the times allow it", _code_of("proton density"))
        return
    yield Reason(4, weighed.words)
    if text is not None and _WEIGHTING_OF_TEXT[text] is wanted:
        yield Reason(1, f"the description says {text.value}")
    elif text is not None:
        yield Reason(-1, f"the description says {text.value}, which the times contradict")


def _by_text(evidence: SeriesEvidence, text: TextWeighting | None, wanted: Weighting) -> Iterator[Reason]:
    """The weighting by the description where the times do not tell it, unless they contradict it."""
    against = contradiction(evidence, Physics(wanted.value))
    if against:
        yield Reason(REFUSED, against, "times-contradict")
    elif text is None:
        yield Reason(REFUSED, "nothing says how it is weighted", "weighting-unknown")
    elif _WEIGHTING_OF_TEXT[text] is wanted:
        yield Reason(3, f"the description says {text.value}")
    else:
        yield Reason(REFUSED, f"the description says {text.value}", _code_of(text.value))


def judge_fat(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    """What the protocol wants of fat. A volume file's name without such words proves nothing and is not refused.

    A description that the times contradict may still be right about fat, so it excludes an image without fat
    suppression but does not admit one with it.
    """
    wish = image.fat_suppression
    signs = fat_signs(evidence, said)
    if wish is Wanted.REQUIRE and is_of_another(evidence, said):
        signs = fat_suppression(evidence)
    sign = next(signs, "")
    if sign and wish is Wanted.REQUIRE:
        yield Reason(3, f"fat-suppressed: {sign}")
    elif sign and wish is Wanted.REFUSE:
        yield Reason(REFUSED, f"fat-suppressed: {sign}", "fat-suppressed")
    elif sign and wish in (Wanted.PREFER, Wanted.AVOID):
        yield Reason(1 if wish is Wanted.PREFER else -1, f"fat-suppressed: {sign}")
    elif wish is Wanted.REQUIRE and is_from_header(evidence):
        yield Reason(REFUSED, "nothing says that fat is suppressed", "not-fat-suppressed")


def judge_lesser(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    """Small points against a series beside one that is otherwise alike."""
    if evidence.image_type[:1] == ("DERIVED",) and not image_type_words(evidence) & WATER_IMAGE:
        yield Reason(-1, "derived from other images")
    if image.weighting is Weighting.T1 and is_gradient_echo(evidence):
        yield Reason(-1, "gradient echo, not spin echo")
    if image.weighting in _SINGLE_SHOT_IS_LESS and (is_single_shot(evidence) or said.single_shot):
        yield Reason(-1, "single-shot")


def _code_of(name: str) -> str:
    """``T2`` to ``t2-weighted``."""
    return f"{name.lower().replace('*', '-star').replace(' ', '-')}-weighted"
