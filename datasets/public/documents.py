"""The documents and tables of a dataset, which may be anybody's: read strictly and within limits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.finding import Finding, Level
from datasets.release.manifest_reading import strict_json
from datasets.table_text import UnreadableTable, cells_of

_MOST_DOCUMENT_BYTES = 50_000_000
_MOST_TABLE_BYTES = 10_000_000
_MOST_SAID = 300
_NO_VALUE = frozenset({"", "nan", "n/a", "na", "#n/a", "null", "none", "-"})
"""Spreadsheets' and data frames' words for an empty cell."""


def read_document(tree: FileTree, path: str) -> dict[str, Any]:
    """A JSON document of a dataset.

    Raises:
        RejectedInput: ``source-document``: it is not there, too large, or no JSON object of finite numbers and
            unrepeated keys.
    """
    file = tree.file(path)
    try:
        is_small = not file.is_symlink() and file.stat().st_size <= _MOST_DOCUMENT_BYTES
        document = strict_json(file.read_bytes().removeprefix(b"\xef\xbb\xbf")) if is_small else None
    except (OSError, RejectedInput) as error:
        raise _no_document() from error
    if not isinstance(document, dict):
        raise _no_document()
    return document


def document_or_none(tree: FileTree, path: str) -> dict[str, Any] | None:
    """A JSON document of a dataset; None where `read_document` refuses it."""
    try:
        return read_document(tree, path)
    except RejectedInput:
        return None


def said(document: Mapping[str, Any], *keys: str) -> str:
    """The first text that a document has under one of its keys, on one line and not longer than a record holds."""
    for key in keys:
        value = document.get(key)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str) and value.strip():
            plain = "".join(sign if sign.isprintable() else " " for sign in normalize("NFC", value))
            return " ".join(plain.split())[:_MOST_SAID]
    return ""


@dataclass(frozen=True)
class PatientRows:
    """A table with a row for each patient.

    Args:
        rows: Patient to column to cell; columns in small letters with underscores, empty cells left out.
        findings: Rows that cannot be used, or the whole table.
    """

    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()


def read_patient_rows(tree: FileTree, path: str, *, patient: str) -> PatientRows:
    """The rows of a table by patient; a table that cannot be read is a finding, and the images go on without it.

    Args:
        tree: The dataset's.
        path: Of the table.
        patient: The column that names the patient, as `column_name` writes it.
    """
    file = tree.file(path)
    try:
        if file.is_symlink() or file.stat().st_size > _MOST_TABLE_BYTES:
            raise UnreadableTable("it is a link, or has more than 10 MB")
        cells = cells_of(file.read_bytes(), key=column_name, wanted=patient)
    except OSError as error:
        return PatientRows(findings=(_unreadable(f"it cannot be read ({type(error).__name__})", tree, path),))
    except UnreadableTable as error:
        return PatientRows(findings=(_unreadable(str(error), tree, path),))
    columns = [column_name(name) for name in cells.header]
    named = [name for name in columns if name]
    if columns.count(patient) != 1 or len(set(named)) < len(named):
        return PatientRows(findings=(_unreadable("it has no column of patients, or a column twice", tree, path),))
    return _by_patient(columns, cells.lines, patient, tree.subject(path), cells.first_row)


def column_name(name: str) -> str:
    """A column's name in small letters with underscores: ``Site of primary STS`` is ``site_of_primary_sts``."""
    return "_".join(re.findall(r"[^\W_]+", name.lower()))


def _by_patient(
    columns: Sequence[str], lines: Sequence[Sequence[str]], patient: str, table: str, first_row: int
) -> PatientRows:
    rows: dict[str, Mapping[str, str]] = {}
    findings: list[Finding] = []
    for number, line in enumerate(lines, start=first_row):
        values = {column: text for column, text in zip(columns, map(str.strip, line), strict=False) if column}
        values = {column: text for column, text in values.items() if text.lower() not in _NO_VALUE}
        name = normalize("NFC", values.get(patient, ""))
        if name and name not in rows:
            rows[name] = values
        elif values:
            why = "names a patient who has one already" if name else "names no patient"
            message = f"A row of the table {why}; it is ignored."
            findings.append(
                Finding(Level.WARNING, "source-row-ignored", message, "Correct the table.", f"{table}, row {number}")
            )
    return PatientRows(rows, tuple(findings))


def _unreadable(why: str, tree: FileTree, path: str) -> Finding:
    return Finding(
        Level.WARNING,
        "source-table-unreadable",
        f"A table of the dataset was not read: {why}. Tissue types and sites that it gives are not known.",
        "Save it again as text, as the publisher distributes it.",
        tree.subject(path),
    )


def _no_document() -> RejectedInput:
    return RejectedInput(
        "source-document",
        "A document of the dataset is not there, too large, or no JSON of finite numbers and unrepeated keys.",
        remedy="Download it again; if it is the publisher's, correct it.",
    )
