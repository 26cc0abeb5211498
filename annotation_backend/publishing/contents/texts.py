"""The texts of a release: by a TOML document (`datasets.release.describing.about`); options go before it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.release.describing.about import with_about
from datasets.release.settings import ReleaseSettings

_MOST_BYTES = 1 << 20


def with_texts(release_settings: ReleaseSettings, path: Path | None, given: Mapping[str, Any]) -> ReleaseSettings:
    """The settings with the texts of a document, and over these the ones that were given by themselves.

    Args:
        release_settings: Name, version and licence.
        path: The document; None for none.
        given: Texts and lists of texts by the name of the setting; empty ones change nothing.

    Raises:
        RejectedInput: The document is no UTF-8 of at most 1 MB (``texts-unreadable``), or not as it should be
            (``release-about``).
    """
    said = with_about(release_settings, _document(path)) if path else release_settings
    texts: dict[str, Any] = {
        name: tuple(each) if isinstance(each, list) else each for name, each in given.items() if each
    }
    return replace(said, **texts)


def _document(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) <= _MOST_BYTES:
            return content.decode("utf-8")
        problem = "it has more than 1 MB"
    except (OSError, ValueError) as error:
        problem = type(error).__name__
    raise RejectedInput(
        "texts-unreadable",
        f"The document of texts cannot be read ({problem}).",
        remedy="Write it as TOML in UTF-8; the guide for data managers shows one.",
    )
