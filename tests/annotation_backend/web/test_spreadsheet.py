"""A CSV file does nothing in the spreadsheet that opens it."""

import ast
from pathlib import Path

import pytest

import annotation_backend
from annotation_backend.web.spreadsheet import csv_answer


@pytest.mark.parametrize(
    "value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]
)
def test_a_formula_is_a_text(value: str) -> None:
    answer = csv_answer("table", ["said"], [[value], [f" {value}"], [-1.5], [None]])
    rows = b"".join(answer).decode().split("\r\n")
    assert rows[1].startswith(("'", "\"'"))
    assert answer.getvalue() == b"", "it is sent as it is made"
    assert answer["Cache-Control"] == "private, no-store"


def test_numbers_stay_numbers() -> None:
    assert b"".join(csv_answer("table", ["a", "b"], [[-1.5, None]])) == b"a,b\r\n-1.5,\r\n"


def test_no_page_writes_a_table_of_its_own() -> None:
    """One that did would have to think of this by itself."""
    own = Path(annotation_backend.__file__).parent
    writing = {
        path.relative_to(own).as_posix()
        for path in own.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("writer", "DictWriter") and path.name != "spreadsheet.py"
    }
    assert writing == set()
