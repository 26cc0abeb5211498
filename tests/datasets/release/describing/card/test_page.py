"""The card as a page: texts stay texts, nothing runs, nothing is fetched."""

import re

import pytest

from datasets.release.describing.card.blocks import Bullets, Document, Figure, Paragraph, Section, Table, words
from datasets.release.describing.card.page import as_page
from tests.datasets.release.describing.samples import HOSTILE, Page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str) -> None:
    blocks = (Paragraph((text,)), Bullets(((text,),)), Table(text, (text, "n"), ((text, "1"),)))
    page = Page(as_page(Document(text, (Section(text, blocks),))).decode())
    assert page.words.count(text) + page.text.count(text) >= 7
    assert not {"script", "img", "b", "link", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(value.startswith("https://") for name, value in page.attributes if name in ("href", "src"))


def test_it_is_self_contained() -> None:
    figure = Figure("figures/a.svg", "A figure.", "In words", '<svg role="img" aria-label="In words"></svg>')
    document = Document("Title", (Section("One", (figure, Paragraph(words("`a` b")))), Section("Two", ())))
    content = as_page(document).decode()
    assert not re.search(r"""(?:src|url\(|@import|<link|<script)""", content)
    assert '<a href="figures/a.svg">' in content
    assert "Two" not in content
    assert "<code>a</code> b" in content
    assert content.startswith('<!doctype html><html lang="en">')
