"""`cases.csv`: a small table beside the images that says each patient's tissue type and anatomical site."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datasets.case import TissueType
from datasets.finding import Finding, Level

CASE_TABLE_NAME = "cases.csv"

_MOST_BYTES = 10_000_000
_LONGEST_SITE = 80
_REMEDY = "Save it as UTF-8 text with the columns patient_id, tissue_type, anatomical_site."


@dataclass(frozen=True)
class CaseDescription:
    """What a person said about a case."""

    tissue_type: TissueType = TissueType.UNKNOWN
    anatomical_site: str = ""


@dataclass(frozen=True)
class CaseTable:
    """The table's rows.

    Args:
        rows: Patient id to (row number, description); the ids are never to be stored or shown.
        findings: What was wrong with it.
    """

    rows: Mapping[str, tuple[int, CaseDescription]] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()


def read_case_table(folder: Path) -> CaseTable:
    """Reads `cases.csv` of a folder; an absent table is an empty one, a damaged one is a finding.

    Columns ``patient_id``, ``tissue_type``, ``anatomical_site``, in any order and case, separated by commas or
    semicolons; the last two may be missing. The patient id is DICOM's PatientID, or for NIfTI the patient's folder or
    file prefix.
    """
    path = folder / CASE_TABLE_NAME
    if path.is_symlink() or not path.is_file():
        return CaseTable()
    try:
        if path.stat().st_size > _MOST_BYTES:
            return _unreadable("a file of more than 10 MB")
        text = path.read_text(encoding="utf-8-sig")
        first_line = text.split("\n", 1)[0]
        reader = csv.reader(io.StringIO(text), delimiter=";" if ";" in first_line and "," not in first_line else ",")
        lines = list(reader)
    except (OSError, UnicodeError, csv.Error) as error:
        return _unreadable(f"one that cannot be read ({type(error).__name__})")
    columns = [name.strip().lower() for name in lines[0]] if lines else []
    if columns.count("patient_id") != 1 or len(set(columns)) != len(columns):
        return _unreadable("one without a single patient_id column")
    return _parsed(columns, lines[1:])


def _parsed(columns: list[str], lines: list[list[str]]) -> CaseTable:
    rows: dict[str, tuple[int, CaseDescription]] = {}
    findings: list[Finding] = []
    for number, line in enumerate(lines, start=2):
        values = dict(zip(columns, (value.strip() for value in line), strict=False))
        patient_id = values.get("patient_id", "")
        if not patient_id:
            continue
        if patient_id in rows:
            findings.append(_row_finding(number, "table-row-twice", f"a patient who has row {rows[patient_id][0]}"))
            continue
        findings += _tissue_findings(number, values.get("tissue_type", ""))
        rows[patient_id] = (
            number,
            CaseDescription(
                _tissue_type(values.get("tissue_type", "")) or TissueType.UNKNOWN,
                values.get("anatomical_site", "")[:_LONGEST_SITE],
            ),
        )
    return CaseTable(rows, tuple(findings))


def _tissue_type(value: str) -> TissueType | None:
    return next((tissue for tissue in TissueType if tissue.value == (value.lower() or "unknown")), None)


def _tissue_findings(number: int, value: str) -> Iterator[Finding]:
    if _tissue_type(value) is None:
        known = ", ".join(tissue.value for tissue in TissueType)
        yield _row_finding(number, "tissue-type-unknown", f"another tissue type than {known}")


def _row_finding(number: int, code: str, found: str) -> Finding:
    return Finding(
        Level.WARNING,
        code,
        f"Expected one row a patient with a known tissue type, got {found}.",
        f"Correct the row in {CASE_TABLE_NAME}.",
        f"{CASE_TABLE_NAME}, row {number}",
    )


def _unreadable(found: str) -> CaseTable:
    message = f"Expected a small table of cases, got {found}."
    return CaseTable(findings=(Finding(Level.WARNING, "table-unreadable", message, _REMEDY, CASE_TABLE_NAME),))
