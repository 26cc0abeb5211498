"""From a pathologist's diagnosis to the tissue of origin, in the words that protocols of soft-tissue tumours have.

Source: WHO Classification of Tumours, Soft Tissue and Bone, 5th edition 2020; MSTT-199 (Reasat et al. 2024), section
2.1, which of these it calls fibrous, fat, myxoid, nerve and vascular.
"""

import re

_TISSUES: tuple[tuple[str, str], ...] = (
    (r"leiomyo|rhabdomyo|synovial|epithelioid sarcoma|osteosarcoma|chondro|ewing|clear cell|alveolar", ""),
    (r"lip(?:o|omatous)|wdlps|ddlps", "fat"),
    (r"myxo(?:fibrosarcoma|ma|id fibrosarcoma)|myxofibro|\bmyxoid\b", "myxoid"),
    (r"schwannoma|neurofibrom|mpnst|nerve sheath|neurilemm", "nerve"),
    (r"angiosarcoma|h(?:a)?emangi|arteriovenous|lymphangi|\bavm\b", "vascular"),
    (
        r"desmoid|fibromatosis|fibrosarcoma|fibrous|fibroma|pl(?:e|ei)omorphic|undifferentiated|\bmfh\b|\bups\b",
        "fibrous",
    ),
)
"""Patterns in the order in which they count: a leiomyosarcoma may be pleomorphic and is of none of the five tissues."""

_WORDS = frozenset({"fibrous", "fat", "myxoid", "nerve", "vascular"})


def tissue_of(diagnosis: str) -> str:
    """The tissue of origin; empty for a diagnosis that is none of the five, or is not known here.

    Args:
        diagnosis: A histological type as people write it, or the word of a tissue itself.
    """
    text = " ".join(diagnosis.lower().replace("-", " ").replace("_", " ").split())
    if text in _WORDS:
        return text
    return next((tissue for pattern, tissue in _TISSUES if re.search(pattern, text)), "")
