"""Whether two series can show the same part of the body, by body part and laterality in their headers."""

import re

from datasets.dicom.header import SeriesEvidence

_REGIONS = (
    ("head", "head brain skull face orbit jaw mandible maxilla iac pituitary"),
    ("neck", "neck cspine cervical larynx thyroid"),
    ("chest", "chest thorax breast lung heart sternum rib mediastinum tspine axilla clavicle scapula"),
    ("abdomen", "abdomen liver kidney pancreas spleen lspine lumbar retroperitoneum abdomenpelvis"),
    ("pelvis", "pelvis hip sacrum buttock groin sijoint coccyx prostate uterus bladder abdomenpelvis"),
    ("shoulder", "shoulder axilla clavicle scapula"),
    ("upper arm", "humerus upperarm arm upperextremity"),
    ("elbow", "elbow arm upperextremity"),
    ("forearm", "forearm radius ulna lowerarm arm upperextremity"),
    ("hand", "hand wrist finger thumb upperextremity"),
    ("thigh", "thigh femur upperleg leg lowerextremity hip"),
    ("knee", "knee patella leg lowerextremity"),
    ("lower leg", "calf lowerleg tibia fibula tibfib tibiafibula leg lowerextremity"),
    ("foot", "foot ankle heel toe calcaneus lowerextremity"),
)
"""Coarse regions and the words for them in BodyPartExamined (DICOM PS3.16, annex L, and common spellings)."""

_SIDES = frozenset({"L", "R"})


def regions_of(body_part: str) -> frozenset[str]:
    """The coarse regions that a body part may lie in; empty where the word is unknown or ambiguous."""
    word = re.sub(r"[^a-z]", "", body_part.lower())
    return frozenset(region for region, words in _REGIONS if word in words.split())


def other_region(one: SeriesEvidence, other: SeriesEvidence) -> bool:
    """Whether the body parts given are of different regions."""
    regions = regions_of(one.body_part), regions_of(other.body_part)
    return all(regions) and not regions[0] & regions[1]


def other_side(one: SeriesEvidence, other: SeriesEvidence) -> bool:
    """Whether one is of the left and the other of the right."""
    return {one.laterality, other.laterality} == _SIDES
