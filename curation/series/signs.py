"""What header and description together say of a series: weighting, fat suppression, contrast agent.

The scanner's values of the physics weigh more than a person's description; the description decides where the physics
is absent, as in many de-identified archives, and cannot beat it.
"""

import re
from collections.abc import Iterator

from curation.names.description_words import DescriptionWords, TextWeighting, plain, read_words
from curation.series.header_physics import fat_suppression, image_type_words, weighting
from datasets.dicom.header import SeriesEvidence
from datasets.study.protocol import Modality

_NO_AGENT = re.compile(
    r"^(?:no\w*|n|na|n a|0+(?: ?ml)?|nil|null|(?:without|w o|ohne|sans|sin|senza|zonder|kein|nativ|unenh|unknown).*)?$"
)
"""People's words for "none" in the field of the contrast agent."""

_CT_PHASE = re.compile(
    r"\b(?:arter\w*|ven|venous|venos\w*|veineux|portal\w*|porto\w*|nephro\w*|parenchymal phase|art|pv|cect|ctap)\b"
)
"""Phases of a CT after a contrast agent."""

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


def words_of(evidence: SeriesEvidence) -> DescriptionWords:
    """The words of the description; where there is none, those of the protocol's name if it names a weighting.

    A protocol's name may be that of the sequence, or of the whole examination ("thigh with and without contrast").
    """
    said = read_words(evidence.series_description)
    if evidence.series_description.strip():
        return said
    protocol = read_words(evidence.protocol_name)
    return protocol if protocol.weighting is not None else said


def is_fat_suppressed(evidence: SeriesEvidence) -> bool:
    """Whether header or description say that fat is suppressed."""
    return any(True for _ in fat_signs(evidence, words_of(evidence)))


def is_contrast_enhanced(evidence: SeriesEvidence) -> bool:
    """Whether the header, the description or a protocol of this one weighting say that a contrast agent was given."""
    protocol = read_words(evidence.protocol_name)
    is_said = words_of(evidence).contrast or (protocol.weighting is not None and protocol.contrast)
    if evidence.modality == Modality.CT:
        is_said = is_said or bool(_CT_PHASE.search(plain(evidence.series_description)))
    return is_said or _names_agent(evidence.contrast_agent)


def said_weighting(evidence: SeriesEvidence, said: DescriptionWords) -> TextWeighting | None:
    """The weighting by the image type of an enhanced object, or else by the description."""
    flavour = next((_FLAVOURS[word] for word in sorted(image_type_words(evidence)) if word in _FLAVOURS), None)
    return flavour or said.weighting


def fat_signs(evidence: SeriesEvidence, said: DescriptionWords) -> Iterator[str]:
    """Every sign that fat is suppressed, the header's first."""
    yield from fat_suppression(evidence)
    if said.fat_suppressed:
        yield "the description says so"


def is_of_another(evidence: SeriesEvidence, said: DescriptionWords) -> bool:
    """Whether the times contradict the description's weighting: it was then written for another series."""
    weighed = weighting(evidence)
    if weighed is None or said.weighting is None:
        return False
    return _SAME.get(said.weighting, said.weighting).value != weighed.weighting.value


def is_from_header(evidence: SeriesEvidence) -> bool:
    """Whether the evidence is that of a DICOM header; a volume file says nothing of how it was made but by its name."""
    return bool(evidence.sop_class) or evidence.modality == Modality.MR


def is_made_of_others(evidence: SeriesEvidence) -> bool:
    """Whether a CT or PET was made from other images, as a PET that was turned into SUV is."""
    return evidence.image_type[:1] == ("DERIVED",) or "SECONDARY" in evidence.image_type[:2]


def _names_agent(agent: str) -> bool:
    """Whether the field names an agent, in whatever script; only known words say that none was given."""
    words = plain(agent)
    return any(map(str.isalpha, agent)) if not words else not _NO_AGENT.match(words)
