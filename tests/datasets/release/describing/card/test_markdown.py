"""What people wrote comes out of Markdown as they wrote it, in two dialects."""

import markdown
import pytest
from hypothesis import given, settings, strategies
from markdown_it import MarkdownIt

from datasets.release.describing.card.blocks import (
    Bullets,
    Code,
    Commands,
    Document,
    Figure,
    Paragraph,
    Section,
    Table,
    words,
)
from datasets.release.describing.card.markdown import as_markdown, escaped
from tests.datasets.release.describing.samples import HOSTILE, Page

_COMMON = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_TYPED = strategies.text(strategies.characters(exclude_categories=("C", "Z")) | strategies.just(" "), max_size=60)
_SIGNS = strategies.text(strategies.sampled_from("\\`*_{}[]()<>#+-.!|~&;$=:/ a1"), max_size=40)


def common(text: str) -> Page:
    return Page(_COMMON.render(text))


def python(text: str) -> Page:
    return Page(markdown.markdown(text, extensions=["tables", "fenced_code"]))


READERS = pytest.mark.parametrize("read", [common, python])


@READERS
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(read, text: str) -> None:
    page = read(escaped(text))
    assert page.text.strip() == text
    assert set(page.tags) <= {"p", "a"}
    assert all(name == "href" and value.startswith("https://") for name, value in page.attributes)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(_TYPED | _SIGNS)
def test_any_line_is_read_as_it_was_written(text: str) -> None:
    page = common(escaped(text))
    assert page.text.strip() == text.strip()
    assert set(page.tags) <= {"p", "a"}


@READERS
@pytest.mark.parametrize("text", HOSTILE)
def test_in_a_table_a_cell_stays_a_cell(read, text: str) -> None:
    table = Table("A table.", ("one", "two"), ((text, "1"), ("x", "2")))
    page = read(as_markdown(Document("Title", (Section("", (table,)),))).decode())
    assert text in page.words or text in page.text
    assert (page.tags.count("tr"), page.tags.count("td")) == (3, 4)


@READERS
def test_every_kind_of_block(read) -> None:
    blocks = (
        Paragraph(words("Read `cases.csv` first.")),
        Bullets((("one",), ("two ", Code("a`b")))),
        Paragraph(("Then:",)),
        Bullets((("first",), ("second",)), is_numbered=True),
        Figure("figures/a.svg", "A figure.", "What [it] says", "<svg></svg>"),
        Commands(("python3 convert.py",)),
    )
    page = read(as_markdown(Document("Title", (Section("Heading", blocks), Section("Empty", ())))).decode())
    assert page.tags.count("code") == 3
    assert {"h1", "h2", "ul", "ol", "img", "pre"} <= set(page.tags)
    assert ("alt", "What [it] says") in page.attributes
    assert ("src", "figures/a.svg") in page.attributes
    assert "Empty" not in page.text
    assert "a`b" in page.text


def test_numbers_and_words_are_left_as_they_read_best() -> None:
    for text in ("0.022", "sub-0001_ses-1", "10.1234/abcd", "volume_ml", "R&D", "a - b"):
        assert escaped(text) == text
