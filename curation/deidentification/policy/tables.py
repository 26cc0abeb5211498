"""Reading the data files beside this module: CSV with one line of comment above the header."""

import csv
import re
from importlib.resources import files

_PACKAGE = "curation.deidentification"
_TAG = re.compile(r"^\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)$")


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a table, by column name."""
    return list(csv.DictReader(_lines(name)))


def words_of(name: str) -> frozenset[str]:
    """The words of a word list, in lower case."""
    return frozenset(word for line in _lines(name) for word in line.lower().split())


def tag_number(tag: str) -> int | None:
    """``(0010,0020)`` as 0x00100020; None for a pattern such as ``(60xx,3000)``."""
    match = _TAG.match(tag)
    return None if match is None else int(match[1] + match[2], 16)


def tag_text(tag: int) -> str:
    """0x00100020 as ``(0010,0020)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _lines(name: str) -> list[str]:
    text = (files(_PACKAGE) / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
