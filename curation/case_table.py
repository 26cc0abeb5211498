"""`cases.csv`: a small table beside the images: tissue type and site of each patient, and which files are which.

    patient_id,tissue_type,anatomical_site,t1,t2,mask_t1,mask_t2
    P7,myxoid,"thigh, left",scans/a.nrrd,scans/b.nrrd,,scans/b-tumour.nrrd
    P8,fat,,3,5,,

Only ``patient_id`` must be there. ``t1`` and ``t2`` name a file by its path below the folder, or, of DICOM, a series by
its number, its folder or Maskloop's reference; what is named there is a person's choice. Masks are named by path.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from curation.anatomical_sites import SITE_WORDS, known_site
from datasets.case import SeriesRole, TissueType
from datasets.finding import Finding, Level

CASE_TABLE_NAME = "cases.csv"

_MOST_BYTES = 10_000_000
_MOST_COLUMNS = 100
_REMEDY = "Save it as UTF-8 text with the columns patient_id, tissue_type, anatomical_site, t1, t2, mask_t1, mask_t2."
_NO_ID = frozenset({"", "nan", "n/a", "#n/a", "null", "none", "na"})
"""What spreadsheets and data frames write for an empty cell."""


@dataclass(frozen=True)
class CaseDescription:
    """What a person said about a case."""

    tissue_type: TissueType = TissueType.UNKNOWN
    anatomical_site: str = ""


@dataclass(frozen=True)
class NamedFiles:
    """The files or series that a row names.

    Args:
        row: Number of the row in the table.
        series: Role to what the row says. Never to be shown.
        masks: Role to the path of a mask. Never to be shown.
    """

    row: int
    series: Mapping[SeriesRole, str] = field(default_factory=dict, repr=False)
    masks: Mapping[SeriesRole, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class CaseTable:
    """The table's rows.

    Args:
        rows: Patient id to (row number, description); the ids are never to be stored or shown.
        findings: What was wrong with it.
        named: Patient id to the files or series that the row names, where it names any.
    """

    rows: Mapping[str, tuple[int, CaseDescription]] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()
    named: Mapping[str, NamedFiles] = field(default_factory=dict, repr=False)


def read_case_table(folder: Path, *, site_words: frozenset[str] = SITE_WORDS) -> CaseTable:
    """Reads `cases.csv` of a folder; an absent table is an empty one, a damaged one is a finding.

    Columns in any order and case, separated by commas, semicolons or tabs; all but ``patient_id`` may be missing. The
    patient id is DICOM's PatientID, or for other files the patient's folder or file prefix, or any name where the row
    names the files.

    Args:
        folder: That holds the table.
        site_words: Words of anatomical sites that are kept.
    """
    path = folder / CASE_TABLE_NAME
    if path.is_symlink() or not path.is_file():
        return CaseTable()
    try:
        if path.stat().st_size > _MOST_BYTES:
            return _unreadable("a file of more than 10 MB")
        content = path.read_bytes()
        text, odd = _decoded(content)
        delimiter = _delimiter(text)
        if "\0" in text:
            return _unreadable("one with NUL signs in it")
        if max(line.count(delimiter) for line in text.split("\n")) >= _MOST_COLUMNS:
            return _unreadable(f"one of more than {_MOST_COLUMNS} columns")
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except (OSError, UnicodeError, csv.Error) as error:
        return _unreadable(f"one that cannot be read ({type(error).__name__})")
    columns = [name.strip().lower() for name in lines[0]] if lines else []
    named = [name for name in columns if name]
    if columns.count("patient_id") != 1 or len(set(named)) != len(named):
        return _unreadable("one without a single patient_id column, or with a column twice")
    table = _parsed(columns, lines[1:], site_words)
    return replace(table, findings=(*odd, *table.findings))


def row_finding(row: int, code: str, *, expected: str, found: str, remedy: str = "") -> Finding:
    """A warning about one row, which names no patient."""
    return Finding(
        Level.WARNING,
        code,
        f"Expected {expected}, got {found}.",
        remedy or f"Correct the row in {CASE_TABLE_NAME}.",
        f"{CASE_TABLE_NAME}, row {row}",
    )


def _decoded(content: bytes) -> tuple[str, tuple[Finding, ...]]:
    """The table's text as UTF-8, or as a spreadsheet of Western Europe saves it, which is told with its first row."""
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n"), ()
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        expected, found = "UTF-8 text", "another encoding from here on; read as Windows-1252"
        odd = row_finding(row, "table-encoding", expected=expected, found=found, remedy="Save the table as UTF-8.")
        text = content.decode("cp1252", "replace")
        return text.replace("\r\n", "\n").replace("\r", "\n"), (odd,)


def _delimiter(text: str) -> str:
    """The comma, unless the first line has none but a semicolon or a tab."""
    first_line = text.split("\n", 1)[0]
    return next((sign for sign in (",", ";", "\t") if sign in first_line), ",")


def _parsed(columns: list[str], lines: list[list[str]], site_words: frozenset[str]) -> CaseTable:
    rows: dict[str, tuple[int, CaseDescription]] = {}
    named: dict[str, NamedFiles] = {}
    findings: list[Finding] = []
    for number, line in enumerate(lines, start=2):
        values = dict(zip(columns, (value.strip() for value in line), strict=False))
        patient_id = values.get("patient_id", "")
        if patient_id.lower() in _NO_ID or patient_id in rows:
            findings += _useless(number, patient_id, values, rows)
            continue
        tissue_type = _tissue_type(values.get("tissue_type", ""))
        site = known_site(values.get("anatomical_site", ""), words=site_words)
        findings += _unknown_words(number, tissue_type, site)
        rows[patient_id] = (number, CaseDescription(tissue_type or TissueType.UNKNOWN, site or ""))
        series, masks = (
            {role: value for role in SeriesRole if (value := values.get(prefix + role.value, ""))}
            for prefix in ("", "mask_")
        )
        if series or masks:
            named[patient_id] = NamedFiles(number, series, masks)
    return CaseTable(rows, tuple(findings), named)


def _useless(
    number: int, patient_id: str, values: Mapping[str, str], rows: Mapping[str, tuple[int, CaseDescription]]
) -> Iterator[Finding]:
    """Why a row is passed over; an empty one is no news."""
    if patient_id in rows:
        found = f"a patient who has row {rows[patient_id][0]}"
        yield row_finding(number, "table-row-twice", expected="one row a patient", found=found)
    elif any(values.values()):
        yield row_finding(number, "table-row-without-id", expected="a patient_id in every row", found="none")


def _tissue_type(value: str) -> TissueType | None:
    return next((tissue for tissue in TissueType if tissue.value == (value.lower() or "unknown")), None)


def _unknown_words(number: int, tissue_type: TissueType | None, site: str | None) -> Iterator[Finding]:
    if tissue_type is None:
        known = ", ".join(tissue.value for tissue in TissueType)
        yield row_finding(number, "tissue-type-unknown", expected=f"one of {known}", found="another tissue type")
    if site is None:
        expected = "an anatomical site in plain English words (side, body part, compartment)"
        found = "one with other words or signs; it is left out"
        yield row_finding(number, "site-unknown", expected=expected, found=found)


def _unreadable(found: str) -> CaseTable:
    message = f"Expected a small table of cases, got {found}."
    return CaseTable(findings=(Finding(Level.WARNING, "table-unreadable", message, _REMEDY, CASE_TABLE_NAME),))
