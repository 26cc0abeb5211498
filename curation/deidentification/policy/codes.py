"""Coded concepts: kept when the standard's context groups know the code, and then with the standard's own meaning.

A code's meaning is free text, and so is a code that no list knows; free text is removed.
"""

from collections.abc import Iterable
from functools import cache

from pydicom import Dataset

from datasets.dicom.file import text

_OLD_SNOMED = "SRT"


def known_codes(items: Iterable[Dataset]) -> list[Dataset]:
    """The items of a code sequence with a known code, reduced to value, scheme and meaning."""
    kept = []
    for item in items:
        scheme, value = text(item, "CodingSchemeDesignator"), text(item, "CodeValue")
        if meaning := _meanings().get((scheme, value)):
            kept.append(coded(scheme, value, meaning))
    return kept


def coded(scheme: str, value: str, meaning: str) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning[:64]
    return item


@cache
def _meanings() -> dict[tuple[str, str], str]:
    """Meaning by scheme and value, of all codes that pydicom carries from PS3.16, with SNOMED's older values."""
    from pydicom.sr._concepts_dict import concepts
    from pydicom.sr._snomed_dict import mapping

    meanings = {
        (scheme, value): meaning
        for scheme, by_keyword in concepts.items()
        for by_value in by_keyword.values()
        for value, (meaning, _groups) in by_value.items()
    }
    for old, new in mapping[_OLD_SNOMED].items():
        if ("SCT", new) in meanings:
            meanings[_OLD_SNOMED, old] = meanings["SCT", new]
    return meanings
