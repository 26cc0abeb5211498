"""Table E.1-1 of DICOM PS3.15: the action of the Basic Profile and its options on each attribute.

The table is `basic_profile.csv`, whole and as published in the edition below; a test compares its digest with that of
an independent transcription. The retain and clean options other than `Option`'s are in the file but are not offered:
they keep what identifies a hospital or a device, or need a person to read free text.

Where the table leaves the choice to the object's definition (``X/Z/D`` and the like), the strictest demand decides: a
dummy value satisfies an attribute that must have a value, one that may be empty and one that may be absent, and says
nothing of the patient; what was empty stays empty. A sequence is emptied rather than given a made-up item where the
table allows both, and the two ``X/Z/U*`` sequences stay with their UIDs replaced, so that images keep pointing to each
other.

Source: DICOM PS3.15 2026d, Annex E, Tables E.1-1 and E.1-1a.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from curation.deidentification.policy.tables import rows_of, tag_number

EDITION = "2026d"

_CURVES, _OVERLAY_DATA, _OVERLAY_COMMENTS = "(50xx,xxxx)", "(60xx,3000)", "(60xx,4000)"
_PRIVATE = "(gggg,eeee) where gggg is odd"
_FACTS = ("tag", "name", "retired", "in_standard_iod", "basic_profile")


class Option(StrEnum):
    """An option of the profile that Maskloop offers; the value is the table's column."""

    SAFE_PRIVATE = "retain_safe_private"
    PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    SHIFTED_DATES = "retain_longitudinal_modified_dates"
    CLEAN_DESCRIPTORS = "clean_descriptors"


class Action(StrEnum):
    """An action on one attribute."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    MAP_UID = "U"
    MAP_REFERENCES = "U*"
    KEEP = "K"
    SHIFT = "C dates"
    CLEAN_WORDS = "C words"
    CLEAN_PRIVATE = "C private"


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Args:
        tag: As printed: ``(0010,0010)``, or a pattern.
        name: The attribute's name.
        basic: Action code of the Basic Profile: ``X``, ``X/Z``, ...
        options: Action code, ``K`` or ``C``, by column, where an option has one.
    """

    tag: str
    name: str
    basic: str
    options: dict[str, str] = field(hash=False)

    @property
    def leaves_a_choice(self) -> bool:
        """Whether the attribute may be empty or absent where the object's definition allows it."""
        return "/" in self.basic

    def action(self, options: frozenset[Option], *, is_sequence: bool) -> Action:
        """The action under these options."""
        for option in sorted(options):
            if found := _OF_OPTIONS.get((option, self.options.get(option, ""))):
                return found
        return self.basic_action(is_sequence=is_sequence)

    def basic_action(self, *, is_sequence: bool) -> Action:
        """The action of the Basic Profile alone, choices decided as in the module's docstring."""
        if is_sequence and "Z" in self.basic.split("/") and not self.basic.endswith("U*"):
            return Action.EMPTY
        return _STRICTEST[self.basic]


_OF_OPTIONS = {
    (Option.SAFE_PRIVATE, "C"): Action.CLEAN_PRIVATE,
    (Option.PATIENT_CHARACTERISTICS, "K"): Action.KEEP,
    (Option.SHIFTED_DATES, "C"): Action.SHIFT,
    (Option.CLEAN_DESCRIPTORS, "C"): Action.CLEAN_WORDS,
}

_STRICTEST = {
    "X": Action.REMOVE,
    "Z": Action.EMPTY,
    "D": Action.DUMMY,
    "U": Action.MAP_UID,
    "Z/D": Action.DUMMY,
    "X/Z": Action.EMPTY,
    "X/D": Action.DUMMY,
    "X/Z/D": Action.DUMMY,
    "X/Z/U*": Action.MAP_REFERENCES,
}


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every row, in the table's order."""
    return tuple(
        Rule(
            tag=row["tag"],
            name=row["name"],
            basic=row["basic_profile"],
            options={column: code for column, code in row.items() if column not in _FACTS and code},
        )
        for row in rows_of("basic_profile.csv")
    )


def rule_of(tag: int) -> Rule | None:
    """The row that a tag falls under, patterns included; None where the table does not name it."""
    rules = _by_tag()
    if (tag >> 16) % 2:
        return rules[_PRIVATE]
    if tag in rules:
        return rules[tag]
    pattern = _pattern_of(tag)
    return None if pattern is None else rules[pattern]


def _pattern_of(tag: int) -> str | None:
    repeating = tag >> 24
    if repeating == 0x50:
        return _CURVES
    if repeating == 0x60:
        return {0x3000: _OVERLAY_DATA, 0x4000: _OVERLAY_COMMENTS}.get(tag & 0xFFFF)
    return None


@cache
def _by_tag() -> dict[int | str, Rule]:
    numbered = {rule: tag_number(rule.tag) for rule in all_rules()}
    return {rule.tag if number is None else number: rule for rule, number in numbered.items()}
