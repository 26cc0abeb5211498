"""CSV files: sent line by line, and safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

_RUNS_AS_FORMULA = (*"=+-@\t\r\n", *map(chr, (0xFF1D, 0xFF0B, 0xFF0D, 0xFF20)))
"""What a text begins with that spreadsheets take for a formula; some of them also the wide forms of the signs."""


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A CSV file for download.

    Args:
        name: The file's name without its ending.
        head: Names of the columns.
        rows: Values of each line.
    """
    answer = StreamingHttpResponse(_lines(head, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer


class _Echo:
    """Gives back what a writer of CSV writes."""

    def write(self, line: str) -> str:
        """The line itself."""
        return line


def _lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(head)
    for row in rows:
        yield writer.writerow([_harmless(value) for value in row])


def _harmless(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    is_formula = isinstance(value, str) and value.startswith(_RUNS_AS_FORMULA)
    return f"'{value}" if is_formula else value
