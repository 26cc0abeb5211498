"""Findings about a patient's images: roles that none can take, optional images left out, doubts about a choice."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from curation.pairing import together
from curation.pairing.best_fit import CHOOSE, Chosen
from curation.pairing.candidates import Candidate
from curation.pairing.series_choice import spoken
from curation.series.ct_words import is_sharp
from curation.series.pet_rules import is_corrected
from curation.series.ranking import JudgedSeries
from curation.series.signs import is_contrast_enhanced, is_fat_suppressed, is_made_of_others
from datasets.finding import Finding, Level
from datasets.study.protocol import ImageRole, Modality, Protocol, Wanted, WantedPlane

_ASKED = frozenset(
    {"perhaps-enhanced", "not-fat-suppressed", "not-contrast-enhanced", "not-attenuation-corrected", "derived-unsaid"}
)
"""Refusals that a person may overrule: where one of them alone stands against the nearest series, it is asked about."""


def none_plausible(image: ImageRole, judged: list[JudgedSeries], who: str) -> Finding:
    """The finding that a role has no candidate, with the nearest series and the reasons against it."""
    nearest = max(judged, key=lambda one: one.judgements[image.name].score, default=None)
    code, message = f"no-{image.name}", f"No {_wanted(image)} was found"
    if nearest is not None:
        judgement = nearest.judgements[image.name]
        against = "; ".join(judgement.reasons)
        points = f"{judgement.score} points ({against})"
        message += f"; the nearest of {len(judged)} series, {nearest.series.reference}, has {points}"
        if len(judgement.refusals) == 1 and judgement.refusals[0] in _ASKED:
            code = f"{image.name}-{judgement.refusals[0]}"
    remedy = "Choose the series if it is meant, or add it to the folder"
    is_dicom_only = bool(judged) and all(one.series.dicom is not None for one in judged)
    remedy += "." if is_dicom_only else f"; name volume files by role, such as {image.name}.nii.gz."
    if nearest is not None and nearest.fits(image.name) and nearest.unsound is not None:
        message += f". It cannot be used: {nearest.unsound.message.removesuffix('.')}"
        remedy = nearest.unsound.remedy or remedy
    return Finding(Level.ERROR, code, f"{message}.", remedy, who)


def optional_absent(finding: Finding, image: ImageRole) -> Finding:
    """The finding that an optional image is missing, which is no reason to be without a case."""
    message = f"{finding.message} It is optional: the case goes on without it."
    return replace(finding, level=Level.INFO, code=f"no-{image.name}", message=message)


def optional_unclear(finding: Finding, image: ImageRole) -> Finding:
    """The finding that an optional image is left out until a person chooses."""
    code = f"ambiguous-{image.name}" if finding.code == "ambiguous-pair" else finding.code
    message = f"The {spoken(image.name)} is left out, and the case goes on without it. {finding.message}"
    return Finding(Level.WARNING, code, message, CHOOSE, finding.subject)


def same_images(roles: tuple[str, ...], who: str) -> Finding:
    """The finding that two images are copies of the same bytes."""
    message = f"{spoken(*roles)} are the same images."
    return Finding(Level.ERROR, "series-identical", message, "Find out which it is, and add the other.", who)


def doubts(chosen: Chosen, protocol: Protocol, anchor: str, who: str) -> Iterator[Finding]:
    """Warnings about images that were accepted all the same."""
    others = [role for role in chosen if role != anchor]
    checks = [
        *(check for role in chosen for check in _of_fat(chosen[role], protocol.image(role))),
        *(check for role in chosen for check in _of_one(chosen[role], protocol.image(role))),
        *(check for role in others for check in _of_two(chosen, (anchor, role))),
    ]
    for doubtful, code, message in checks:
        if doubtful:
            yield Finding(Level.WARNING, code, message, "Check that this is meant.", who)
    for candidate in chosen.values():
        for finding in candidate.series.dicom.findings if candidate.series.dicom else ():
            subject = f"{who}, series {candidate.series.reference}"
            yield Finding(finding.level, finding.code, finding.message, finding.remedy, subject)


_Check = tuple[bool, str, str]


def _of_fat(one: Candidate, image: ImageRole) -> Iterator[_Check]:
    is_unsaid = image.fat_suppression is Wanted.REQUIRE and not is_fat_suppressed(one.series.evidence)
    message = f"Nothing says that the {spoken(image.name)} is fat-suppressed."
    yield is_unsaid, f"{image.name}-not-fat-suppressed", message


def _of_one(one: Candidate, image: ImageRole) -> Iterator[_Check]:
    name, evidence = spoken(image.name), one.series.evidence
    is_enhanced = is_contrast_enhanced(evidence)
    is_known = any("after a contrast agent" in reason.words for reason in one.judgement.given)
    yield (
        is_enhanced and image.contrast in (Wanted.REFUSE, Wanted.AVOID),
        f"{image.name}-contrast-enhanced",
        f"The {name} is contrast-enhanced.",
    )
    yield (
        image.contrast is Wanted.REQUIRE and not is_enhanced and not is_known,
        f"{image.name}-not-contrast-enhanced",
        f"Nothing says that the {name} was taken after a contrast agent.",
    )
    yield (
        image.modality is Modality.CT and is_sharp(evidence),
        f"{image.name}-sharp",
        f"The {name} was reconstructed for bone or lung.",
    )
    yield (
        image.modality is not Modality.MR and is_made_of_others(evidence),
        f"{image.name}-derived",
        f"The {name} was made from other images.",
    )
    yield (
        image.modality is Modality.PET and is_corrected(evidence) is False,
        f"{image.name}-not-attenuation-corrected",
        f"The {name} is not corrected for attenuation.",
    )


def _of_two(chosen: Mapping[str, Candidate], roles: tuple[str, str]) -> Iterator[_Check]:
    one, other = pair = (chosen[roles[0]], chosen[roles[1]])
    names = spoken(*(role for role in chosen if role in roles))
    is_one_study = together.is_one_study(pair)
    yield not is_one_study, "different-studies", f"{names} are of different studies."
    yield (
        is_one_study and together.have_other_frames(one.series, other.series),
        "different-frames",
        f"{names} have different frames of reference: nothing tells whether they show the same place.",
    )
    yield together.is_elsewhere(pair), "different-places", f"The headers of {names} name different parts of the body."
    yield (
        together.shared_part(pair) < together.LEAST_OVERLAP,
        "no-overlap",
        f"{names} show different parts of the body.",
    )


def _wanted(image: ImageRole) -> str:
    """An image in words: ``axial fat-suppressed T2``."""
    is_said = "fat" in image.title.lower() or image.fat_suppression is not Wanted.REQUIRE
    plane = "" if image.plane is WantedPlane.ANY else f"{image.plane.value} "
    return f"{plane}{'' if is_said else 'fat-suppressed '}{image.title}"
