"""Sheets: the tables of a page. What the page shows and what the CSV beside it says is one text, made once."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from datasets.pages.page import NOTHING, card, html_table

Value = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column of a sheet.

    Args:
        head: Its title, the same in the page and in the CSV.
        form: How its numbers are written, as `format` takes it; empty for words and whole numbers.
    """

    head: str
    form: str = ""

    def text(self, value: Value) -> str:
        """The value as both write it; empty for None."""
        if not isinstance(value, float):
            return "" if value is None else str(value)
        text = format(value, self.form)
        return text.lstrip("-") if not float(text) else text  # no minus 0


@dataclass(frozen=True)
class Sheet:
    """A table of a report.

    Args:
        name: Of its CSV, without the ending.
        title: Its title.
        note: How to read it, in plain text.
        columns: Its columns; those before the first number are words.
        rows: One value for each column.
        words: How many columns at the left are words.
        is_shown: Whether the page shows it; the marks of a figure are only in the CSV.
    """

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    words: int = 1
    is_shown: bool = True

    @property
    def texts(self) -> list[list[str]]:
        """Every cell as it is written."""
        return [[column.text(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]

    def as_csv(self) -> str:
        """The sheet as CSV with a header."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(column.head for column in self.columns)
        writer.writerows([_safe(text) for text in row] for row in self.texts)
        return stream.getvalue()

    def as_html(self) -> str:
        """The sheet as a card of the page; nothing where it is not shown or holds nothing."""
        if not (self.is_shown and self.rows):
            return ""
        return card(self.title, f"{_note(self.note, self.name)}{self.table()}")

    def table(self) -> str:
        """The table alone."""
        cells = [[_cell(text, is_word=at < self.words) for at, text in enumerate(row)] for row in self.texts]
        return html_table([escape(column.head) for column in self.columns], cells, words=self.words)


@dataclass(frozen=True)
class Figure:
    """A figure of a report with the numbers that it is drawn from.

    Args:
        sheet: The numbers of its marks; names and titles the figure.
        drawing: SVG, or other HTML.
        beneath: A sheet that is shown beneath it.
        is_narrow: Whether others stand beside it.
    """

    sheet: Sheet
    drawing: str
    beneath: Sheet | None = None
    is_narrow: bool = False

    def as_html(self) -> str:
        """The figure as a card of the page."""
        below = self.beneath.table() + _note("", self.beneath.name) if self.beneath and self.beneath.rows else ""
        return card(self.sheet.title, f"{_note(self.sheet.note, self.sheet.name)}{self.drawing}{below}")


Part = Sheet | Figure


def as_html(parts: Sequence[Part]) -> str:
    """Parts in their order; narrow figures that follow each other stand side by side."""
    found = ""
    for is_narrow, some in groupby(parts, key=lambda part: isinstance(part, Figure) and part.is_narrow):
        cards = "".join(part.as_html() for part in some)
        found += f'<div class="pair">{cards}</div>' if is_narrow else cards
    return found


def sheets_of(parts: Sequence[Part]) -> list[Sheet]:
    """All sheets of a report, each of which becomes a CSV."""
    found: list[Sheet] = []
    for part in parts:
        found += [part] if isinstance(part, Sheet) else [part.sheet, *([part.beneath] if part.beneath else [])]
    return found


def _note(note: str, name: str) -> str:
    return f'<p class="soft">{escape(note)} <small>{escape(name)}.csv</small></p>'


def _cell(text: str, *, is_word: bool) -> str:
    if not text:
        return NOTHING
    return escape(text) if is_word else escape(text.replace("-", "−") if text[0] == "-" else text)


def _safe(text: str) -> str:
    """A spreadsheet takes a cell that begins with such a sign for a formula, unless it is a number."""
    try:
        float(text)
    except ValueError:
        return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
    return text
