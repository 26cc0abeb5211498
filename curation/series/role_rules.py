"""How well a series fits a role: small rules over the header, each giving points and a reason in plain words.

A role is what the study's protocol wants of an image (`datasets.study.protocol.ImageRole`). Reasons quote the rule's
own words, never the description, into which people type names.
"""

from collections.abc import Callable, Iterator

from curation.names.description_words import DescriptionWords
from curation.series.ct_rules import CT_RULES
from curation.series.exclusions import exclusions
from curation.series.judgement import REFUSED, Judgement, Reason
from curation.series.kind import KIND_OF_REFUSAL
from curation.series.mr_rules import judge_fat, judge_lesser, judge_weighting
from curation.series.pet_rules import PET_RULES
from curation.series.signs import is_contrast_enhanced, is_from_header, words_of
from datasets.dicom.header import Plane, SeriesEvidence
from datasets.study.protocol import ImageRole, Modality, Wanted, WantedPlane

FEWEST_SLICES = 4
"""A stack of fewer slices is a scout."""

MANY_SLICES = 10
"""Number of slices from which a stack covers a tumour with some certainty."""

NOT_ENHANCED = "not-contrast-enhanced"
"""Refusal of a series of which nothing says that a contrast agent was given, where the protocol wants one."""

Rule = Callable[[SeriesEvidence, DescriptionWords, ImageRole], Iterator[Reason]]


def judge(evidence: SeriesEvidence, image: ImageRole) -> Judgement:
    """Weighs all evidence in the header for and against a role."""
    said = words_of(evidence)
    return Judgement(tuple(reason for rule in _RULES[image.modality] for reason in rule(evidence, said, image)))


def _exclusions(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    for code, why in exclusions(evidence, said, image.modality).items():
        yield Reason(REFUSED, f"{KIND_OF_REFUSAL[code].value}: {why}", code)


def _orientation(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    plane = evidence.plane
    if plane.value == image.plane.value or (image.plane is WantedPlane.ANY and plane is not Plane.UNKNOWN):
        yield Reason(2, plane.value)
    elif is_from_header(evidence) and image.plane is WantedPlane.ANY:
        yield Reason(REFUSED, "nothing says how its slices lie", "plane-unknown")
    elif is_from_header(evidence):
        yield Reason(REFUSED, f"{plane.value} orientation, not {image.plane.value}", f"not-{image.plane.value}")


def _slices(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    if evidence.slice_count < FEWEST_SLICES:
        yield Reason(REFUSED, f"only {evidence.slice_count} slices, as in a scout", "too-few-slices")
    elif evidence.slice_count >= MANY_SLICES:
        yield Reason(1, f"{evidence.slice_count} slices")


def _contrast(evidence: SeriesEvidence, said: DescriptionWords, image: ImageRole) -> Iterator[Reason]:
    is_enhanced = is_contrast_enhanced(evidence)
    if image.contrast is Wanted.REQUIRE and is_enhanced:
        yield Reason(3, "contrast-enhanced")
    elif image.contrast is Wanted.REQUIRE:
        yield Reason(REFUSED, "nothing says that a contrast agent was given", NOT_ENHANCED)
    elif image.contrast is Wanted.REFUSE and is_enhanced:
        yield Reason(REFUSED, "contrast-enhanced", "contrast-enhanced")
    elif image.contrast is Wanted.AVOID and is_enhanced:
        yield Reason(-1, "contrast-enhanced")
    elif image.contrast is Wanted.PREFER and is_enhanced:
        yield Reason(1, "contrast-enhanced")


_FIRST: tuple[Rule, ...] = (_exclusions, _orientation, _slices)
_RULES: dict[Modality, tuple[Rule, ...]] = {
    Modality.MR: (*_FIRST, judge_weighting, judge_fat, _contrast, judge_lesser),
    Modality.CT: (*_FIRST, *CT_RULES, _contrast),
    Modality.PET: (*_FIRST, *PET_RULES, _contrast),
}
