"""The texts of a release by a document, and by options."""

from pathlib import Path

import pytest

from annotation_backend.publishing.contents.texts import with_texts
from datasets.errors import RejectedInput
from datasets.release.settings import ReleaseSettings

SETTINGS = ReleaseSettings("tumours", "1.0.0", "CC0-1.0")
DOCUMENT = """
description = "T1 and T2."
masks_made_by = "Two students drew."
known_limits = ["Thighs only.", "One scanner."]
citations = ["Doe et al. 2026."]
licence_text = '''
All of it.
'''
"""


def test_a_document_gives_all_texts_and_options_go_before_it(tmp_path: Path) -> None:
    path = tmp_path / "texts.toml"
    path.write_text(DOCUMENT, encoding="utf-8")
    found = with_texts(SETTINGS, path, {"citations": [], "description": ""})
    assert (found.description, found.masks_made_by, found.licence_text) == (
        "T1 and T2.",
        "Two students drew.",
        "All of it.\n",
    )
    assert found.known_limits == ("Thighs only.", "One scanner.")
    assert found.citations == ("Doe et al. 2026.",)
    other = with_texts(SETTINGS, path, {"citations": ["Roe 2025."], "description": "Other."})
    assert (other.description, other.citations, other.known_limits) == ("Other.", ("Roe 2025.",), found.known_limits)


def test_the_document_says_who_publishes_it_too(tmp_path: Path) -> None:
    path = tmp_path / "about.toml"
    path.write_text('title = "Tumours of the thigh"\n[[creators]]\nname = "University Hospital"\n', encoding="utf-8")
    said = with_texts(SETTINGS, path, {}).publication
    assert (said.title, [each.name for each in said.creators]) == ("Tumours of the thigh", ["University Hospital"])


def test_without_a_document_there_are_those_that_were_given() -> None:
    assert with_texts(SETTINGS, None, {}) == SETTINGS
    assert with_texts(SETTINGS, None, {"known_limits": ["One."]}).known_limits == ("One.",)


FAULTS = {
    "no-toml": (b"description = ", "release-about"),
    "no-utf-8": (b'description = "\xff"', "texts-unreadable"),
    "too-large": (b'description = "' + b"x" * (1 << 20) + b'"', "texts-unreadable"),
    "deep": (b"a = " + b"[" * 100_000, "release-about"),
    "another-key": (b'licence = "MIT"', "release-about"),
    "a-table": (b"[description]\na = 1", "release-about"),
    "a-number": (b"description = 1", "release-about"),
    "a-text-for-a-list": (b'citations = "Doe"', "release-about"),
    "numbers-in-a-list": (b"citations = [1]", "release-about"),
}


@pytest.mark.parametrize(("content", "code"), FAULTS.values(), ids=FAULTS)
def test_a_document_that_is_none_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "texts.toml"
    path.write_bytes(content)
    with pytest.raises(RejectedInput) as refusal:
        with_texts(SETTINGS, path, {})
    assert refusal.value.code == code


def test_a_document_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput, match="texts-unreadable"):
        with_texts(SETTINGS, tmp_path / "none.toml", {})
