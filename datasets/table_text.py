"""From the bytes of a table to its cells, as spreadsheets of all countries and systems save them."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass

_MOST_COLUMNS = 100
_MOST_HEADER = 100_000
"""Letters of the first line; a longer one has too many columns, and looking for its separator takes seconds."""

_SEPARATORS = (",", ";", "\t", "|")
_SAID = re.compile(r"""\s*"?sep *= *([^\s"]|\t)["\s,;|]*""", re.IGNORECASE)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class UnreadableTable(Exception):
    """The fault that keeps a file from being read as a table."""


@dataclass(frozen=True)
class Cells:
    """A table's cells.

    Args:
        header: The first line.
        lines: The lines below it.
        first_row: The number that a person's editor gives the first of them.
        odd_row: The row from which on the text is no UTF-8 and was read as Windows-1252; None where all is.
    """

    header: list[str]
    lines: list[list[str]]
    first_row: int
    odd_row: int | None = None


def cells_of(content: bytes, *, key: Callable[[str], str], wanted: str) -> Cells:
    """The cells of a table.

    UTF-8, UTF-16 with its mark, or what a spreadsheet of Western Europe saves; separated by commas, semicolons, tabs or
    bars, which the line ``sep=;`` above all others may say.

    Args:
        content: The file's.
        key: From a column's name as somebody wrote it to ours.
        wanted: A column that the header has to have; where nothing says the separator, the one that shows it is taken.

    Raises:
        UnreadableTable: It is none.
    """
    text, odd_row = _decoded(content)
    if "\0" in text:
        raise UnreadableTable("it has NUL characters in it")
    whole = text.count("\n")
    said, text = _said_separator(text.lstrip("\n"))
    text = text.lstrip("\n")
    reader = csv.reader(io.StringIO(text))
    try:
        header_line = text.split("\n", 1)[0]
        if len(header_line) > _MOST_HEADER:
            raise UnreadableTable(f"it has more than {_MOST_COLUMNS} columns")
        is_kept = said and wanted in _columns(header_line, said, key)  # saved again, the table may have another
        separator = said if is_kept else _separator(header_line, key, wanted)
        if max(line.count(separator) for line in text.split("\n")) >= _MOST_COLUMNS:
            raise UnreadableTable(f"it has more than {_MOST_COLUMNS} columns")
        reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
        header, *lines = list(reader) or [[]]
    except csv.Error as error:  # a quote that never ends would swallow the rows below it
        line = reader.line_num + whole - text.count("\n")
        raise UnreadableTable(f"its quotes do not match, in a row that ends at line {line}") from error
    return Cells(header, lines, first_row=whole - text.count("\n") + 2, odd_row=odd_row)


def _decoded(content: bytes) -> tuple[str, int | None]:
    try:
        encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
        text, odd_row = content.decode(encoding), None
    except UnicodeDecodeError as error:
        if content.startswith(_UTF_16):
            raise UnreadableTable("it cannot be read (UnicodeDecodeError)") from error
        text, odd_row = content.decode("cp1252", "replace"), content.count(b"\n", 0, error.start) + 1
    return text.replace("\r\n", "\n").replace("\r", "\n"), odd_row


def _said_separator(text: str) -> tuple[str, str]:
    """What Excel's first line ``sep=;`` says, and the text below it."""
    first, _, rest = text.partition("\n")
    found = _SAID.fullmatch(first)
    return (found[1], rest) if found else ("", text)


def _columns(line: str, separator: str, key: Callable[[str], str]) -> list[str]:
    return [key(name) for name in next(csv.reader([line], delimiter=separator), [])]


def _separator(first: str, key: Callable[[str], str], wanted: str) -> str:
    """The sign that makes most columns of the header with the wanted one among them, else the first that is there."""
    fitting = {}
    for sign in _SEPARATORS:
        columns = _columns(first, sign, key)
        if wanted in columns:
            fitting[sign] = len(columns)
    if fitting:
        return max(fitting, key=lambda sign: fitting[sign])
    return next((sign for sign in _SEPARATORS if sign in first), ",")
