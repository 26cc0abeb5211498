"""The card as a document: sections of paragraphs, lists, tables, figures and commands, written as Markdown and HTML.

A piece of text is plain, as people wrote it, or code, as machines read it. `words` makes both of a sentence of our own;
what a publisher wrote is always plain, so that nothing in it is taken for markup.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A file's name, a word of a file, or a piece of a command."""

    text: str


Inline = tuple[str | Code, ...]
"""A line of text in pieces."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    content: Inline


@dataclass(frozen=True)
class Bullets:
    """A list; numbered where the order matters."""

    lines: tuple[Inline, ...]
    is_numbered: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        title: What it shows, in a line.
        heads: Of its columns.
        rows: A cell for each column, in plain text.
        words: How many columns at the left are text.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@dataclass(frozen=True)
class Figure:
    """A figure.

    Args:
        path: Of its file in the release.
        title: What it shows, in a line.
        alternative: What it says, for those who do not see it.
        drawing: The ``svg`` element.
    """

    path: str
    title: str
    alternative: str
    drawing: str


@dataclass(frozen=True)
class Commands:
    """Lines for a terminal."""

    lines: tuple[str, ...]


Block = Paragraph | Bullets | Table | Figure | Commands


@dataclass(frozen=True)
class Section:
    """A section; one without blocks is left out."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """The card.

    Args:
        title: Its title.
        sections: In their order; the first has no title.
    """

    title: str
    sections: tuple[Section, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, each of which becomes a file."""
        blocks = (block for section in self.sections for block in section.blocks)
        return tuple(block for block in blocks if isinstance(block, Figure))


def words(text: str) -> Inline:
    """A sentence of our own; what stands between backticks is code."""
    return tuple(Code(piece) if at % 2 else piece for at, piece in enumerate(text.split("`")) if piece)


def said(text: str) -> Paragraph:
    """A paragraph of our own."""
    return Paragraph(words(text))


def plain(texts: Sequence[str]) -> Bullets:
    """A list of what others wrote."""
    return Bullets(tuple((text.strip(),) for text in texts))


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: ``T1, T2 and CT``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def many(number: int, noun: str) -> str:
    """A number and what it counts."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~:/?#@&+,;=%-]*[A-Za-z0-9_~/=-])?")


def with_addresses(text: str) -> Iterator[tuple[str, bool]]:
    """A text in pieces; the flag says that a piece is a web address, which can be linked as it stands."""
    end = 0
    for found in _ADDRESS.finditer(text):
        yield text[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield text[end:], False
