"""Known words of anatomical sites: people type names and dates into free text, so other words are dropped."""

import re

SITE_WORDS = frozenset(
    [
        "abdomen",
        "abdominal",
        "adductor",
        "ankle",
        "anterior",
        "antecubital",
        "arm",
        "axilla",
        "axillary",
        "back",
        "biceps",
        "breast",
        "buttock",
        "buttocks",
        "calf",
        "cervical",
        "chest",
        "compartment",
        "deep",
        "distal",
        "dorsal",
        "elbow",
        "extremity",
        "face",
        "femoral",
        "femur",
        "fibula",
        "finger",
        "flank",
        "foot",
        "forearm",
        "gluteal",
        "gluteus",
        "groin",
        "hamstring",
        "hand",
        "head",
        "heel",
        "hip",
        "humerus",
        "iliac",
        "inguinal",
        "intramuscular",
        "knee",
        "lateral",
        "left",
        "leg",
        "limb",
        "lower",
        "lumbar",
        "medial",
        "mediastinum",
        "middle",
        "muscle",
        "neck",
        "paraspinal",
        "patella",
        "pelvic",
        "pelvis",
        "perineum",
        "plantar",
        "popliteal",
        "posterior",
        "pretibial",
        "proximal",
        "psoas",
        "quadriceps",
        "radius",
        "retroperitoneal",
        "retroperitoneum",
        "right",
        "sacral",
        "sacrum",
        "scapula",
        "scapular",
        "shoulder",
        "shoulders",
        "skull",
        "sole",
        "spine",
        "subcutaneous",
        "superficial",
        "supraclavicular",
        "thenar",
        "thigh",
        "thoracic",
        "thorax",
        "tibia",
        "toe",
        "triceps",
        "trunk",
        "ulna",
        "unknown",
        "upper",
        "wall",
        "wrist",
        "and",
        "of",
        "or",
        "the",
    ]
)
"""Body parts, sides and positions in English; a site may give its own set."""

LONGEST_SITE = 80


def known_site(text: str, *, words: frozenset[str] = SITE_WORDS) -> str | None:
    """The text as it is, where every word of it is known; None where one is not.

    Args:
        text: A person's text, such as "thigh, left"; letters, blanks and ``,/()-`` only, 80 signs at most.
        words: The known words, in lower case.
    """
    text = " ".join(text.split())
    if len(text) > LONGEST_SITE or not re.fullmatch(r"[\w ,/()-]*", text):
        return None
    return text if all(word in words for word in re.findall(r"\w+", text.lower())) else None
