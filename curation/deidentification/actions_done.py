"""The log of a de-identification: one line for each attribute, with its tag and never its value."""

from dataclasses import dataclass
from enum import StrEnum


class Done(StrEnum):
    """The action that was done to an attribute."""

    KEPT = "kept"
    REMOVED = "removed"
    EMPTIED = "emptied"
    DUMMY = "replaced by a dummy"
    UID_MAPPED = "uid mapped"
    DATE_SHIFTED = "date shifted"
    WORDS_CLEANED = "reduced to known words"
    LIMITED = "limited to known values"
    PSEUDONYM = "replaced by the patient code"
    WRITTEN = "written"


class Why(StrEnum):
    """The rule behind an action."""

    PROFILE = "Table E.1-1"
    OPTION = "option of Table E.1-1"
    NEEDED = "needed by images"
    NOT_LISTED = "neither in the table nor needed"
    PRIVATE = "private"
    VALUE = "value not of the expected kind"
    IDENTIFIER = "value is an identifier of the object"
    MALFORMED_DATE = "malformed date"
    UNREADABLE = "unreadable"
    SAFE_PRIVATE = "safe private"
    RECORD = "record of this de-identification"


@dataclass(frozen=True, order=True)
class ActionDone:
    """One attribute and the action done to it.

    Args:
        tag: ``(gggg,eeee)``, behind the tags of the sequences around it: ``(3006,0020) > (3006,0026)``.
        keyword: The dictionary's keyword; empty for private and unknown attributes.
        done: The action.
        why: The rule behind it.
    """

    tag: str
    keyword: str
    done: Done
    why: Why

    def as_row(self) -> dict[str, str]:
        """Plain values for JSON and CSV."""
        return {"tag": self.tag, "keyword": self.keyword, "done": self.done.value, "why": self.why.value}
