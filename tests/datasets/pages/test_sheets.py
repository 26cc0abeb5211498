"""Sheets: the page and the CSV say the same, as text that nothing runs."""

import csv
import io

from datasets.pages.page import whole_page
from datasets.pages.sheets import Column, Figure, Sheet, as_html, sheets_of

COLUMNS = (Column("case"), Column("volume <ml>", ".2f"), Column("count"))
ROWS = (("=HYPERLINK(1)", -0.001, 3), ("<b>c2</b>", 12.345, None), ("-7", None, 0))
SHEET = Sheet("volumes", "Volumes & more", "In <ml>.", COLUMNS, ROWS)


def test_numbers_have_their_form_and_no_minus_zero() -> None:
    assert SHEET.texts == [["=HYPERLINK(1)", "0.00", "3"], ["<b>c2</b>", "12.35", ""], ["-7", "", "0"]]


def test_a_spreadsheet_takes_no_cell_for_a_formula_but_numbers_for_numbers() -> None:
    rows = list(csv.reader(io.StringIO(SHEET.as_csv())))
    assert rows[0] == ["case", "volume <ml>", "count"]
    assert [row[0] for row in rows[1:]] == ["'=HYPERLINK(1)", "<b>c2</b>", "-7"]


def test_a_page_shows_names_as_text() -> None:
    page = whole_page("A <title>", as_html([SHEET]))
    for text in ("&lt;b&gt;c2&lt;/b&gt;", "volume &lt;ml&gt;", "Volumes &amp; more", "A &lt;title&gt;", "12.35"):
        assert text in page
    assert "<script" not in page


def test_what_is_not_shown_is_in_a_csv_all_the_same() -> None:
    hidden = Sheet("marks", "Marks", "", COLUMNS, ROWS, is_shown=False)
    empty = Sheet("none", "None", "", COLUMNS, ())
    assert as_html([hidden, empty]) == ""
    figure = Figure(SHEET, "<svg></svg>", beneath=hidden, is_narrow=True)
    assert [sheet.name for sheet in sheets_of([figure, empty])] == ["volumes", "marks", "none"]
    assert as_html([figure, figure]).count('class="pair"') == 1
