"""The texts of a release in one TOML document, so that they need not be given word by word, and stay the same.

description = "T1 and T2 of soft-tissue tumours."
masks_made_by = "Two students drew, a radiologist approved."
known_limits = ["Tumours of the thigh only."]
citations = ["Doe et al. 2026."]
licence_text = '''The licence in full.'''
"""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from datasets.errors import RejectedInput
from datasets.release.settings import ReleaseSettings

_TEXTS = ("description", "masks_made_by", "licence_text")
_LISTS = ("known_limits", "citations")
_MOST_BYTES = 1 << 20


def with_texts(release_settings: ReleaseSettings, path: Path | None, given: Mapping[str, Any]) -> ReleaseSettings:
    """The settings with the texts of a document, and over these the ones that were given by themselves.

    Args:
        release_settings: Name, version and licence.
        path: The document; None for none.
        given: Texts and lists of texts by the name of the setting; empty ones change nothing.

    Raises:
        RejectedInput: The document is no TOML in UTF-8 of at most 1 MB (``texts-unreadable``), or holds anything else
            than texts and lists of these names (``texts-unknown``, ``texts-kind``).
    """
    read = _document(path) if path else {}
    texts: dict[str, Any] = {**read, **{name: value for name, value in given.items() if value}}
    texts |= {name: tuple(texts[name]) for name in _LISTS if name in texts}
    return replace(release_settings, **texts)


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            _refuse("texts-unreadable", "The document of texts has more than 1 MB.")
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        _refuse("texts-unreadable", f"The document of texts cannot be read ({type(error).__name__}).")
    unknown = sorted(set(found) - {*_TEXTS, *_LISTS})
    if unknown:
        _refuse("texts-unknown", f"Expected {', '.join((*_TEXTS, *_LISTS))}, got {', '.join(unknown)[:200]}.")
    for name, value in found.items():
        is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if not (is_list if name in _LISTS else isinstance(value, str)):
            _refuse("texts-kind", f"{name} is not {'a list of texts' if name in _LISTS else 'a text'}.")
    return found


def _refuse(code: str, message: str) -> NoReturn:
    remedy = "Write it as TOML in UTF-8; the guide for data managers shows one."
    raise RejectedInput(code, message, remedy=remedy)
