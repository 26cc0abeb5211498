"""Checks of the values of kept attributes. People and programs write names into any field, so no value is kept for
its tag alone: numbers must be numbers, codes must be codes of the standard, and words must be words of a list.

The data files name the check of each attribute: ``number``, ``number:LOW..HIGH``, ``terms:A|B``, ``other:A|B``,
``digits``, ``age``, ``standard-uid``, ``sequence-name``, ``kernel``, ``label``, ``words``, ``empty``, ``sequence``,
``code``, ``pixels``.
The last three are no matter of single values and are handled where sequences and pixels are.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from pydicom.uid import UID_dictionary

from curation.deidentification.policy.tables import words_of

DUMMY_TEXT = "REMOVED"
"""Stands where an attribute must have a value; fits every text VR."""

_LONGEST = {"SH": 16, "CS": 16, "AE": 16}
_LONGEST_TEXT = 64
_OTHER = "OTHER"
_OLDEST_AGE_YEARS = 89
_OVER_OLDEST = "090Y"
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([Ee][+-]?\d+)?")
_DIGITS = re.compile(r"\d{1,4}")
_AGE = re.compile(r"\d{3}[DWMY]")
_SEQUENCE_NAME = re.compile(
    r"\*?(se|tse|h|fl|fi|tfl|tfi|ir|tir|tirm|tgse|ep|epse|epfid|ep_b|spc|spcir|qfl|me|mde|re|swi|vibe|gre|b)"
    r"[123]d[0-9]{0,4}(_[0-9]{1,4})?(rr|r|t|b|p2)?"
)
_KERNEL = re.compile(r"([A-Z][a-z]{0,2}\d{1,2}[a-z]{0,2}|FC\d{2}|[1-5]|SOFT|STANDARD|STND|BONE|LUNG|DETAIL|EDGE|CHEST)")
_BINARY = {"US": "<u2", "SS": "<i2", "UL": "<u4", "SL": "<i4", "FL": "<f4", "FD": "<f8", "AT": "<u2"}
_SPELLED = re.compile(rb"([A-Za-z]\0?){6}")
_NOT_WORD = re.compile(r"[^A-Za-z0-9]+")

Values = Sequence[Any]


def checked(check: str, values: Values, *, vr: str, most: int | None = None) -> list[Any] | None:
    """The values that may stay.

    Args:
        check: Its name, as the data files have it.
        values: The attribute's values, one or more.
        vr: The attribute's value representation.
        most: How many values the attribute may have; None for any number.

    Returns:
        The values to write, the same where all pass; None where none may stay.
    """
    name, _, terms = check.partition(":")
    if most is not None and len(values) > most:
        return None
    if name in ("terms", "other"):
        return _known_terms(values, frozenset(terms.split("|")), replace=name == "other")
    if name in ("words", "label"):
        longest = _LONGEST.get(vr, _LONGEST_TEXT)
        kept = [text for value in values if (text := known_words(str(value), longest=longest))]
        return kept or ([DUMMY_TEXT] if name == "label" else None)
    if vr in _BINARY and _spells_text(values, vr):
        return None
    numbers = _all_or_none(values, _SINGLE[name])
    return None if numbers is not None and terms and not _lie_within(numbers, terms) else numbers


def known_words(text: str, *, longest: int) -> str:
    """The words of a description that name anatomy, sequence or region, up to `longest` characters."""
    vocabulary = words_of_descriptions()
    between = "_" if "_" in text and " " not in text else " "
    return between.join(word for word in _NOT_WORD.split(text) if word.lower() in vocabulary)[:longest].strip(" _")


@cache
def words_of_descriptions() -> frozenset[str]:
    """The words that `known_words` keeps."""
    return words_of("known_words.txt")


def _spells_text(values: Values, vr: str) -> bool:
    """Whether six letters follow each other in the bytes of binary numbers, in one byte each or two: hardly by chance.

    Fewer letters cannot be told from a number: four are any float between 2 and 10^18.
    """
    if vr == "AT":
        values = [half for value in values for half in (int(value) >> 16, int(value) & 0xFFFF)]
    try:
        return _SPELLED.search(np.array(values, dtype=_BINARY[vr]).tobytes()) is not None
    except (TypeError, ValueError, OverflowError):
        return False  # not numbers, which the check of single values finds


def _known_terms(values: Values, terms: frozenset[str], *, replace: bool) -> list[str] | None:
    texts = [str(value).strip(" \0") for value in values]
    kept = [text if text in terms else _OTHER for text in texts if replace or text in terms]
    return kept or None


def _all_or_none(values: Values, single: Callable[[Any], Any]) -> list[Any] | None:
    checked = [single(value) for value in values]
    return None if not checked or any(value is None for value in checked) else checked


def _lie_within(values: Values, bounds: str) -> bool:
    low, high = (float(bound) for bound in bounds.split(".."))
    return all(low <= float(value) <= high for value in values)


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return value if _DECIMAL.fullmatch(value.strip(" \0")) else None
    if isinstance(value, bytes):
        return None
    original = getattr(value, "original_string", "")
    if original and not _DECIMAL.fullmatch(original.strip(" \0")):
        return None
    return value if math.isfinite(float(value)) else None


def _age(value: Any) -> str | None:
    text = str(value).strip(" \0")
    if not _AGE.fullmatch(text):
        return None
    return _OVER_OLDEST if text.endswith("Y") and int(text[:3]) > _OLDEST_AGE_YEARS else text


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], str | None]:
    def single(value: Any) -> str | None:
        text = str(value).strip(" \0")
        return text if pattern.fullmatch(text) else None

    return single


def _standard_uid(value: Any) -> str | None:
    text = str(value).strip(" \0")
    return text if text in UID_dictionary else None


def _nothing(_value: Any) -> None:
    return None


_SINGLE: dict[str, Callable[[Any], Any]] = {
    "number": _number,
    "age": _age,
    "digits": _matching(_DIGITS),
    "sequence-name": _matching(_SEQUENCE_NAME),
    "kernel": _matching(_KERNEL),
    "standard-uid": _standard_uid,
    "empty": _nothing,
}
