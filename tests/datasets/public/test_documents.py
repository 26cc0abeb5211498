"""Documents and tables that anybody may have written: bad inputs 46 and 47, each named or read for what it is."""

from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.public.documents import column_name, document_or_none, read_document, read_patient_rows, said
from datasets.public.tissue_words import tissue_of

BAD_JSON = {
    "47-nesting": b"[" * 100_000,
    "47-nesting-of-objects": b'{"a":' * 100_000,
    "47-repeated-key": b'{"labels": {"a": 1}, "labels": {"b": 2}}',
    "47-nan": b'{"a": NaN}',
    "47-infinity": b'{"a": -Infinity}',
    "47-too-large-a-number": b'{"a": 1e400}',
    "47-half-a-sign": b'{"a": "\\ud800"}',
    "47-a-long-text": b'{"a": "' + b"x" * 100_000_000 + b'"}',
    "47-no-utf-8": b'{"a": "\xff"}',
    "47-no-object": b"[1, 2]",
    "47-cut-off": b'{"a": ',
    "47-empty": b"",
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_a_bad_document_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "dataset.json").write_bytes(BAD_JSON[name])
    tree = FileTree.of(tmp_path)
    with pytest.raises(RejectedInput) as refused:
        read_document(tree, "dataset.json")
    assert refused.value.code == "source-document"
    assert document_or_none(tree, "dataset.json") is None


def test_a_linked_and_an_absent_document_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text("{}")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "dataset.json").symlink_to(tmp_path / "outside.json")
    for name in ("dataset.json", "other.json"):
        assert document_or_none(FileTree.of(tmp_path / "in"), name) is None


def test_a_document_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_bytes(b"\xef\xbb\xbf" + b'{"name": "A"}')
    assert read_document(FileTree.of(tmp_path), "dataset.json") == {"name": "A"}


@pytest.mark.parametrize(
    ("value", "text"),
    [("CC BY", "CC BY"), ("a\n\x1b[31mb\u202e", "a [31mb"), (["one", "two"], "one"), (7, ""), ("x" * 999, "x" * 300)],
)
def test_what_a_document_says_is_one_plain_line(value: object, text: str) -> None:
    assert said({"licence": value}, "license", "licence") == text


def rows(tmp_path: Path, content: bytes, patient: str = "patient_id"):
    (tmp_path / "table.csv").write_bytes(content)
    found = read_patient_rows(FileTree.of(tmp_path), "table.csv", patient=patient)
    return {name: dict(row) for name, row in found.rows.items()}, [finding.code for finding in found.findings]


SOUND = {"P1": {"patient_id": "P1", "site": "thigh"}, "P2": {"patient_id": "P2", "site": "arm"}}


@pytest.mark.parametrize(
    "content",
    [
        b"Patient ID,Site\nP1,thigh\nP2,arm\n",
        b"\xef\xbb\xbfPatient ID;Site\r\nP1;thigh\r\nP2;arm\r\n",
        b"sep=;\nPatient ID;Site\nP1;thigh\nP2;arm\n",
        b"Patient ID\tSite\nP1\tthigh\nP2\tarm\n",
        "Patient ID,Site\nP1,thigh\nP2,arm\n".encode("utf-16"),
    ],
)
def test_every_dialect_of_a_table_says_the_same(tmp_path: Path, content: bytes) -> None:
    assert rows(tmp_path, content) == (SOUND, [])


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("46-nul", b"Patient ID,Site\nP1\0,thigh\n", "source-table-unreadable"),
        ("46-columns", b"Patient ID," + b"a," * 1_000_000 + b"\n", "source-table-unreadable"),
        ("46-repeated-header", b"Patient ID,Site,site\nP1,a,b\n", "source-table-unreadable"),
        ("46-no-patients", b"Site\nthigh\n", "source-table-unreadable"),
        ("46-quote-without-end", b'Patient ID,Site\n"P1,thigh\nP2,arm\n', "source-table-unreadable"),
        ("46-id-not-a-number", b"Patient ID,Site\nNaN,thigh\nP2,arm\n", "source-row-ignored"),
        ("46-patient-twice", b"Patient ID,Site\nP2,arm\nP2,thigh\n", "source-row-ignored"),
        ("46-large", b"Patient ID,Site\n" + b"P1,thigh\n" * 2_000_000, "source-table-unreadable"),
    ],
)
def test_a_bad_table_is_named_and_the_images_go_on(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    found, said_codes = rows(tmp_path, content)
    assert said_codes == [code]
    assert found == ({"P2": SOUND["P2"]} if code == "source-row-ignored" else {})


def test_a_formula_is_a_text_like_any_other(tmp_path: Path) -> None:
    formula = '=HYPERLINK("http://127.0.0.1/?"&A1)'
    found, said_codes = rows(tmp_path, f'Patient ID,Site\nP1,"{formula.replace(chr(34), chr(34) * 2)}"\n'.encode())
    assert (found["P1"]["site"], said_codes) == (formula, [])


def test_a_linked_table_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text("Patient ID,Site\nP1,thigh\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "table.csv").symlink_to(tmp_path / "outside.csv")
    found = read_patient_rows(FileTree.of(tmp_path / "in"), "table.csv", patient="patient_id")
    assert (dict(found.rows), [one.code for one in found.findings]) == ({}, ["source-table-unreadable"])


def test_names_of_columns_are_plain() -> None:
    assert column_name("Gender (1=M,0=F)") == "gender_1_m_0_f"


@pytest.mark.parametrize(
    ("diagnosis", "tissue"),
    [
        ("pleiomorphic leiomyosarcoma", ""),
        ("malignant solitary fibrous tumor", "fibrous"),
        ("sclerosing epithelioid fibrosarcoma", "fibrous"),
        ("myxoid fibrosarcoma", "myxoid"),
        ("undifferentiated - pleiomorphic", "fibrous"),
        ("poorly differentiated synovial sarcoma", ""),
        ("undifferentiated pleomorphic liposarcoma", "fat"),
        ("epithelioid sarcoma", ""),
        ("MFH", "fibrous"),
        ("Myxofibrosarcoma", "myxoid"),
        ("well-differentiated liposarcoma", "fat"),
        ("WDLPS", "fat"),
        ("schwannoma", "nerve"),
        ("MPNST", "nerve"),
        ("haemangioma", "vascular"),
        ("arteriovenous malformation", "vascular"),
        ("desmoid fibromatosis", "fibrous"),
        ("extraskeletal myxoid chondrosarcoma", ""),
        ("fat", "fat"),
        ("=HYPERLINK(1)", ""),
        ("", ""),
    ],
)
def test_a_diagnosis_is_of_a_tissue_or_of_none(diagnosis: str, tissue: str) -> None:
    assert tissue_of(diagnosis) == tissue
