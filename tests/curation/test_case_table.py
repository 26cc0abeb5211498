"""`cases.csv`: what people's spreadsheets write is read, what is wrong is named by row and never by patient."""

from pathlib import Path

import pytest

from curation.case_table import CaseDescription, read_case_table
from datasets.case import TissueType


def _table(folder: Path, content: bytes) -> tuple[dict[str, CaseDescription], list[str]]:
    (folder / "cases.csv").write_bytes(content)
    table = read_case_table(folder)
    shown = " ".join(map(str, table.findings)) + repr(table)
    assert "Nightingale" not in shown
    rows = {patient: description for patient, (_, description) in table.rows.items()}
    return rows, [f"{finding.code}: {finding.subject}" for finding in table.findings]


def test_no_table_is_an_empty_one(tmp_path: Path) -> None:
    assert not read_case_table(tmp_path).rows


@pytest.mark.parametrize(
    "content",
    [
        b"patient_id,tissue_type,anatomical_site\nNightingale,fat,thigh\n",
        b"\xef\xbb\xbfpatient_id;tissue_type;anatomical_site\r\nNightingale;Fat;thigh\r\n",
        b"Anatomical_Site, Tissue_Type, Patient_ID\n thigh , FAT , Nightingale \n,,\n\n",
    ],
    ids=["plain", "excel", "other order"],
)
def test_spreadsheets(tmp_path: Path, content: bytes) -> None:
    assert _table(tmp_path, content) == ({"Nightingale": CaseDescription(TissueType.FAT, "thigh")}, [])


def test_missing_columns_and_cells_are_unknown(tmp_path: Path) -> None:
    rows, findings = _table(tmp_path, b"patient_id,tissue_type\nA,\nB\nC,nerve,surplus\n")
    assert [rows[key].tissue_type.value for key in "ABC"] == ["unknown", "unknown", "nerve"]
    assert findings == []


def test_wrong_rows_are_named(tmp_path: Path) -> None:
    rows, findings = _table(tmp_path, b"patient_id,tissue_type\nNightingale,bone\nB,fat\nB,nerve\n")
    assert rows["Nightingale"].tissue_type is TissueType.UNKNOWN
    assert rows["B"].tissue_type is TissueType.FAT
    assert findings == ["tissue-type-unknown: cases.csv, row 2", "table-row-twice: cases.csv, row 4"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"name,site\nNightingale,thigh\n",
        b"patient_id,patient_id\n1,2\n",
        b"patient_id\n\xff\xfe\n",
        b"x" * 10_000_001,
    ],
    ids=["empty", "no id column", "two id columns", "not UTF-8", "too large"],
)
def test_a_damaged_table_is_a_finding(tmp_path: Path, content: bytes) -> None:
    assert _table(tmp_path, content) == ({}, ["table-unreadable: cases.csv"])
