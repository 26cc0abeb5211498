"""Patients whose names differ by a visit or a date alone: perhaps one person, whose cases would leak between folds."""

import re
from collections import defaultdict
from collections.abc import Iterable

from curation.names.name_words import words

_VISIT = re.compile(
    r"^(visits?|visite|ses|session|baseline|follow|followup|fu|up|pre|post|preop|postop|tp|timepoint|day|week|month|year"
    r"|kontrolle|nachsorge|verlauf|exam|untersuchung)\d*$|^v\d+$"
)
_NUMBER = re.compile(r"^\d{1,4}$")
_DATE = re.compile(r"^((19|20)\d{6}|\d{1,2} \d{1,2} (19|20)\d\d|(19|20)\d\d \d{1,2}( \d{1,2})?)$")


def possibly_same_patient(keys: Iterable[str]) -> list[list[str]]:
    """Patients' keys that differ by visits' names or dates alone, in groups of two or more.

    Args:
        keys: Folders and the words of files' names, joined by slashes. Never to be shown.
    """
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key in dict.fromkeys(keys):
        groups[tuple(filter(None, map(_without_visit, key.split("/"))))].append(key)
    return [members for members in groups.values() if len(members) > 1]


def _without_visit(part: str) -> str:
    """A folder, or a file's words, without the visit at its end; empty where nothing else is left."""
    found = words(part)
    place = next((index for index in range(len(found)) if _is_visit(found[index:])), None)
    return part if place is None else "_".join(found[:place])


def _is_visit(found: list[str]) -> bool:
    """Whether words are a date, or a visit's name with its number."""
    text = " ".join(found)
    return bool(_DATE.match(text)) or (
        bool(_VISIT.match(found[0])) and all(_VISIT.match(word) or _NUMBER.match(word) for word in found)
    )
