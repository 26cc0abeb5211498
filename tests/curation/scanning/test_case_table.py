"""`cases.csv`: people's spreadsheets are read, faults are named by row and never by patient."""

from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.scanning.case_table import CaseDescription, read_case_table
from curation.scanning.table_files import named_paths
from datasets.study.case import Consent
from tests.curation.support.protocols import MSTT


def _table(folder: Path, content: bytes) -> tuple[dict[str, CaseDescription], list[str]]:
    (folder / "cases.csv").write_bytes(content)
    table = read_case_table(folder, protocol=MSTT)
    shown = " ".join(map(str, table.findings)) + repr(table)
    assert "Nightingale" not in shown
    rows = {patient: description for patient, (_, description) in table.rows.items()}
    return rows, [f"{finding.code}: {finding.subject}" for finding in table.findings]


def test_no_table_is_an_empty_one(tmp_path: Path) -> None:
    assert not read_case_table(tmp_path, protocol=MSTT).rows


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
    assert _table(tmp_path, content) == ({"Nightingale": CaseDescription("fat", "thigh")}, [])


@pytest.mark.parametrize(
    ("cell", "consent", "code"),
    [
        ("yes", Consent.GIVEN, None),
        ("Y", Consent.GIVEN, None),
        ("TRUE", Consent.GIVEN, None),
        ("No", Consent.REFUSED, None),
        ("withdrawn", Consent.REFUSED, None),
        ("", Consent.UNSAID, None),
        ("NaN", Consent.UNSAID, None),
        ("pending", Consent.REFUSED, "consent-unknown"),
        ("ja", Consent.REFUSED, "consent-unknown"),
        ("yes?", Consent.REFUSED, "consent-unknown"),
    ],
)
def test_a_consent_that_nobody_knows_is_none(tmp_path: Path, cell: str, consent: Consent, code: str | None) -> None:
    rows, findings = _table(tmp_path, f"patient_id,Consent\nNightingale,{cell}\n".encode())
    assert rows == {"Nightingale": CaseDescription(consent=consent)}
    assert findings == ([f"{code}: cases.csv, row 2"] if code else [])


def test_a_table_without_a_column_of_consent_says_none(tmp_path: Path) -> None:
    rows, findings = _table(tmp_path, b"patient_id,tissue_type\nNightingale,fat\n")
    assert (rows["Nightingale"].consent, findings) == (Consent.UNSAID, [])


@pytest.mark.parametrize("name", ["Cases.csv", "CASES.CSV", "cases.CSV"])
def test_the_tables_name_in_other_capitals(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("patient_id,tissue_type\nA,fat\n")
    assert list(read_case_table(tmp_path, protocol=MSTT).rows) == ["A"]
    (tmp_path / "cAses.csv").write_text("patient_id,tissue_type\nB,fat\n")
    assert [finding.code for finding in read_case_table(tmp_path, protocol=MSTT).findings] == ["table-unreadable"]
    (tmp_path / "cases.csv").write_text("patient_id,tissue_type\nC,fat\n")
    assert list(read_case_table(tmp_path, protocol=MSTT).rows) == ["C"]


def test_a_misspelt_column_is_said(tmp_path: Path) -> None:
    rows, findings = _table(tmp_path, b"Patient ID,Tissue Typ\nA,fat\n")
    assert rows["A"].tissue_type == "unknown"
    assert findings == ["table-columns-other: cases.csv"]


PATHS = ["scans/Müller/a.nrrd", "scans/b.NRRD", "c.nii.gz"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("stroke", ["/", "\\"])
def test_a_path_as_another_system_writes_it_is_that_file(tmp_path: Path, path: str, form: Any, stroke: str) -> None:
    for written in (path, path.upper(), f".{stroke}{path}"):
        text = normalize(form, written.replace("/", stroke))
        (tmp_path / "cases.csv").write_text(f"patient_id,t1\nA,{text}\n", encoding="utf-8")
        found = named_paths(read_case_table(tmp_path, protocol=MSTT), [normalize("NFD", each) for each in PATHS])
        assert list(found.files) == [normalize("NFD", path)]
        assert found.findings == ()


def test_a_path_that_two_files_are_written_like_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("patient_id,t1\nA,SCAN.nrrd\nB,scan.nrrd\n")
    found = named_paths(read_case_table(tmp_path, protocol=MSTT), ["scan.nrrd", "Scan.nrrd"])
    assert list(found.files) == ["scan.nrrd"]
    assert [finding.code for finding in found.findings] == ["table-file-ambiguous"]


@pytest.mark.parametrize("path", ["C:\\studies\\a.nrrd", "\\\\server\\a.nrrd", "..\\a.nrrd", "/a.nrrd"])
def test_a_path_of_elsewhere_is_refused_on_every_system(tmp_path: Path, path: str) -> None:
    (tmp_path / "cases.csv").write_text(f"patient_id,t1\nA,{path}\n")
    found = named_paths(read_case_table(tmp_path, protocol=MSTT), ["a.nrrd", "studies/a.nrrd"])
    assert [finding.code for finding in found.findings] == ["table-path-outside"]


COLUMNS = ("patient_id", "tissue_type", "anatomical_site")
TISSUES = st.sampled_from(["fibrous", "fat", "myxoid", "nerve", "vascular", "unknown"])
WRITTEN = st.sampled_from([str.lower, str.upper, str.title, lambda name: f" {name.replace('_', ' ')} "])


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    rows=st.dictionaries(st.sampled_from(["Müller", "P7", "山田", "Ω-1"]), TISSUES, min_size=1),
    columns=st.permutations(COLUMNS),
    written=WRITTEN,
    separator=st.sampled_from([",", ";", "\t", "|"]),
    says=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    form=st.sampled_from(["NFC", "NFD"]),
)
def test_every_dialect_of_spreadsheets_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, str], columns: list[str], written: Any,
    separator: str, says: bool, encoding: str, end: str, form: Any,
) -> None:  # fmt: skip
    lines = [separator.join(map(written, columns))]
    for patient, tissue in rows.items():
        cells = {"patient_id": normalize(form, patient), "tissue_type": written(tissue)}
        lines.append(separator.join(cells.get(column, '"thigh, left"') for column in columns))
    text = end.join([f"sep={separator}", *lines] if says else lines)
    found, findings = _table(tmp_path_factory.mktemp("table"), text.encode(encoding))
    assert found == {patient: CaseDescription(tissue, "thigh, left") for patient, tissue in rows.items()}
    assert findings == []


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"patient_id,t1\n{text}".encode("utf-8", "ignore"))
)
def test_no_bytes_end_the_reading_of_a_table(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("table")
    (folder / "cases.csv").write_bytes(content)
    table = read_case_table(folder, protocol=MSTT)
    named_paths(table, ["a.nrrd"])
    assert table.rows or table.findings or not content.strip() or content.startswith(b"patient_id")


def test_one_odd_byte_loses_no_row(tmp_path: Path) -> None:
    content = b"patient_id,tissue_type,anatomical_site\nA,fat,thigh\nM\xfcller,nerve,thigh\nB,fat,knee\n"
    rows, findings = _table(tmp_path, content)
    assert {name: row.tissue_type for name, row in rows.items()} == {
        "A": "fat", "M\u00fcller": "nerve", "B": "fat",
    }  # fmt: skip
    assert findings == ["table-encoding: cases.csv, row 3"]


def test_missing_columns_and_cells_are_unknown(tmp_path: Path) -> None:
    rows, findings = _table(tmp_path, b"patient_id,tissue_type\nA,\nB\nC,nerve,surplus\n")
    assert [rows[key].tissue_type for key in "ABC"] == ["unknown", "unknown", "nerve"]
    assert findings == ["table-row-long: cases.csv, row 4"]


def test_wrong_rows_are_named(tmp_path: Path) -> None:
    rows, findings = _table(tmp_path, b"patient_id,tissue_type\nNightingale,bone\nB,fat\nB,nerve\n")
    assert rows["Nightingale"].tissue_type == "unknown"
    assert rows["B"].tissue_type == "fat"
    assert findings == ["tissue-type-unknown: cases.csv, row 2", "table-row-twice: cases.csv, row 4"]


@pytest.mark.parametrize("patient", ["", "NaN", "nan", "N/A", "null", "None"])
def test_a_row_without_an_id_is_named(tmp_path: Path, patient: str) -> None:
    rows, findings = _table(tmp_path, f"patient_id,tissue_type\n{patient},fat\n,\nB,fat\n".encode())
    assert list(rows) == ["B"]
    assert findings == ["table-row-without-id: cases.csv, row 2"]


@pytest.mark.parametrize(
    ("site", "kept"),
    [
        ("thigh", True), ("Thigh, left", True), ("lower leg (calf), right", True), ("upper  arm", True), ("", True),
        ("Nightingale's thigh", False), ("thigh 12.03.1961", False), ('=HYPERLINK(""http://x"")', False),
        ("thigh\tleft; see letter", False), ("thigh " * 20, False), ("+thigh", False), ("thigh\u202eleft", False),
    ],
)  # fmt: skip
def test_only_known_words_of_a_site_are_kept(tmp_path: Path, site: str, kept: bool) -> None:
    rows, findings = _table(tmp_path, f'patient_id,anatomical_site\nA,"{site}"\n'.encode())
    assert rows["A"].anatomical_site == (" ".join(site.split()) if kept else "")
    assert findings == ([] if kept else ["site-unknown: cases.csv, row 2"])


def test_a_site_may_give_words_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("patient_id,anatomical_site\nA,Oberschenkel\n")
    table = read_case_table(tmp_path, site_words=frozenset({"oberschenkel"}), protocol=MSTT)
    assert table.rows["A"][1].anatomical_site == "Oberschenkel"
    assert table.findings == ()


def test_files_that_a_row_names(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("patient_id\tT1\tMask_T2\nA\tx.nrrd\ty.nrrd\nB\t\t\n")
    table = read_case_table(tmp_path, protocol=MSTT)
    assert table.named["A"].series == {"t1": "x.nrrd"}
    assert table.named["A"].masks == {"t2": "y.nrrd"}
    assert (table.named["A"].row, list(table.named)) == (2, ["A"])
    assert "nrrd" not in repr(table)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"name,site\nNightingale,thigh\n",
        b"patient_id,patient_id\n1,2\n",
        b"\xff\xfep\0a\0t\0i\0e\0n\0t\0",
        b"x" * 10_000_001,
        b"patient_id,tissue_type,tissue_type\nNightingale,fat,nerve\n",
        b"patient_id\nNight\0ingale\n",
        b"patient_id" + b"," * 9_000_000,
        b"patient_id\n" + b";" * 5 + b"," * 9_000_000,
        b'patient_id\n"' + b"x" * 200_000 + b'"\n',
    ],
    ids=[
        "empty",
        "no id column",
        "two id columns",
        "UTF-16",
        "too large",
        "a column twice",
        "NUL",
        "9 million columns",
        "9 million cells",
        "a cell of 200 kB",
    ],
)
def test_a_damaged_table_is_a_finding(tmp_path: Path, content: bytes) -> None:
    assert _table(tmp_path, content) == ({}, ["table-unreadable: cases.csv"])


@pytest.mark.parametrize(
    ("above", "sign"),
    [
        ("sep=;", ";"),
        ("SEP = ;", ";"),
        ('"sep=;"', ";"),
        ("sep=\t", "\t"),
        ("sep=;,,", ","),
        ("sep=;", ","),
        ("\n\nsep=|\n", "|"),
    ],
)
def test_a_line_that_says_the_separator_is_read_however_it_was_saved(tmp_path: Path, above: str, sign: str) -> None:
    lines = [above, sign.join(["patient_id", "tissue_type"]), sign.join(["P1", "fat"])]
    (tmp_path / "cases.csv").write_text("\n".join(lines))
    table = read_case_table(tmp_path, protocol=MSTT)
    row = 3 + above.count("\n")
    assert (table.rows["P1"][0], table.rows["P1"][1].tissue_type, table.findings) == (row, "fat", ())


def test_a_row_with_more_cells_than_columns_is_named(tmp_path: Path) -> None:
    """A comma without quotes moves what is behind it into other columns."""
    (tmp_path / "cases.csv").write_text("patient_id,tissue_type,anatomical_site\nP1,fat,thigh, left\nP2,fat,thigh,,\n")
    table = read_case_table(tmp_path, protocol=MSTT)
    assert [(finding.code, finding.subject) for finding in table.findings] == [("table-row-long", "cases.csv, row 2")]


def test_a_quote_that_never_ends_swallows_no_rows(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text('patient_id,tissue_type,anatomical_site\nP1,fat,"thigh\nP2,fat,arm\n')
    table = read_case_table(tmp_path, protocol=MSTT)
    assert ([finding.code for finding in table.findings], dict(table.rows)) == (["table-unreadable"], {})
    assert "line 3" in table.findings[0].message


@pytest.mark.parametrize("written", ['"""scans\\a.nii"""', "'scans/a.nii'"])
def test_quotes_that_were_copied_with_a_path_are_no_part_of_it(tmp_path: Path, written: str) -> None:
    (tmp_path / "cases.csv").write_text(f"patient_id,t1\nP1,{written}\n")
    named = named_paths(read_case_table(tmp_path, protocol=MSTT), ["scans/a.nii"])
    assert (named.findings, list(named.files)) == ((), ["scans/a.nii"])
