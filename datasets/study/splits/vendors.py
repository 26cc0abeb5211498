"""Vendors of scanners, by the words that they write into DICOM's Manufacturer in all their spellings."""

import re

OTHER = "other"
"""A manufacturer whose name is none of those known here."""

_WORDS = {
    "siemens": "siemens",
    "ge": "ge",
    "philips": "philips",
    "canon": "canon",
    "toshiba": "canon",
    "hitachi": "fujifilm",
    "fujifilm": "fujifilm",
    "uih": "united-imaging",
    "united": "united-imaging",
    "esaote": "esaote",
    "bruker": "bruker",
}
"""A name's first word, in small letters, to the vendor; firms that were bought count as their buyer."""


def vendor_of(manufacturer: str) -> str:
    """The vendor of a DICOM Manufacturer or of a person's word; ``other`` for one that is not known, empty for none."""
    words = re.findall(r"[a-z]+", manufacturer.lower())
    if not words:
        return ""
    return next((_WORDS[word] for word in words if word in _WORDS), OTHER)
