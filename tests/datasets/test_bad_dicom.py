"""Bad DICOM files: each is refused or named with its own code, without recursion and in little memory."""

import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, Sequence, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from datasets.dicom_checks import check_structure
from datasets.dicom_file import dicom_findings, read_dataset
from datasets.dicom_structure import walk
from datasets.errors import RejectedInput
from datasets.finding import Level
from datasets.gate import Budget, opened
from datasets.phantom_dicom import Protocol, write_protocol
from datasets.volume import Grid
from tests.data import STS_DICOM, require
from tests.datasets import bad_inputs
from tests.datasets.bad_inputs import CANARY, edit, encapsulated, insert, nested, set_encapsulated

PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=1, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip
MPEG4 = "1.2.840.10008.1.2.4.102"
JPEG = b"\xff\xd8\xff\xc0\0\x0b\x08\0\x0a\0\x08\x01\x01\x11\0\xff\xd9"
"""The markers of a JPEG of 8 columns and 10 rows."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    grid = Grid((8, 10, 1), np.diag([-0.8, -1.1, 4.0, 1.0]))
    pixels = np.arange(80, dtype=np.uint16).reshape(8, 10, 1)
    write_protocol(tmp_path, PROTOCOL, pixels, grid, identity=["test", "CANARY-ID"], name=CANARY)
    return tmp_path / "IM0001.dcm"


def _set(**fields: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        edit(path, lambda dataset: [setattr(dataset, keyword, value) for keyword, value in fields.items()])

    return change


def _drop(keyword: str) -> Callable[[Path], None]:
    return lambda path: edit(path, lambda dataset: delattr(dataset, keyword))


def _many_items(count: int) -> bytes:
    items = struct.pack("<2HL", 0xFFFE, 0xE000, 0) * count
    return bad_inputs.explicit(0x0008, 0x1140, b"SQ", items)


def _longer_than_its_item(path: Path) -> None:
    inside = bad_inputs.explicit(0x0008, 0x1155, b"UI", b"1.2.3.", length=60)
    item = struct.pack("<2HL", 0xFFFE, 0xE000, len(inside)) + inside
    insert(path, bad_inputs.explicit(0x0008, 0x1140, b"SQ", item))


def _implicit_nested(path: Path) -> None:
    content = b""
    for _ in range(300):
        item = struct.pack("<2HL", 0xFFFE, 0xE000, len(content)) + content
        content = struct.pack("<2HL", 0x0008, 0x1140, len(item)) + item
    edit(path, lambda dataset: dataset.file_meta.__setattr__("TransferSyntaxUID", ImplicitVRLittleEndian))
    first, plain = bad_inputs.parts(path)
    position = plain.index(struct.pack("<2H", 0x0010, 0x0010))
    path.write_bytes(first + plain[:position] + content + plain[position:])


def _unknown_nested(path: Path) -> None:
    """Sequences of undefined length whose type is given as unknown."""
    content = nested(300, defined=False).replace(b"SQ\0\0", b"UN\0\0")
    insert(path, content)


def _relabel(syntax: str) -> Callable[[Path], None]:
    """Another transfer syntax over the same bytes."""

    def change(path: Path) -> None:
        content = path.read_bytes()
        old = b"1.2.840.10008.1.2.1\0"
        assert old in content
        path.write_bytes(content.replace(old, syntax.encode().ljust(20, b"\0"), 1))

    return change


REFUSED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "26-other-bytes": ("dicom-unreadable", lambda path: path.write_bytes(bytes(range(256)) * 2)),
    "26-text-behind-magic": ("dicom-unreadable", lambda path: path.write_bytes(bytes(128) + b"DICM" + b"text " * 99)),
    "28-deflated-bomb": ("inflation-ratio", lambda path: bad_inputs.deflate(path, zeros=800 << 20)),
    "29-depth-101": ("dicom-nesting", lambda path: insert(path, nested(101, defined=True))),
    "29-depth-2000": ("dicom-nesting", lambda path: insert(path, nested(2000, defined=True))),
    "29-depth-2000-undefined": ("dicom-nesting", lambda path: insert(path, nested(2000, defined=False))),
    "29-depth-300-implicit": ("dicom-nesting", _implicit_nested),
    "29-depth-300-unknown": ("dicom-nesting", _unknown_nested),
    "29-items": ("dicom-items", lambda path: insert(path, _many_items(100_001))),
    "30-no-length": (
        "dicom-length",
        lambda path: insert(path, bad_inputs.explicit(0x0010, 0x0001, b"UT", b"", length=0xFFFFFFFF)),
    ),
    "30-longer-than-its-item": ("dicom-length", _longer_than_its_item),
    "30-longer-than-the-file": (
        "dicom-unreadable",
        lambda path: insert(path, bad_inputs.explicit(0x0010, 0x0001, b"UT", b"", length=0xFFFFFFFE)),
    ),
    "30-cut-off": ("dicom-unreadable", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    "31-no-instance-uid": ("dicom-no-instance-uid", _drop("SOPInstanceUID")),
    "32-path-as-uid": ("dicom-uid", _set(SOPInstanceUID="../../etc/passwd")),
    "35-fewer-pixels": ("dicom-pixels-differ", _set(PixelData=bytes(100))),
    "35-many-more-pixels": ("dicom-pixels-differ", _set(PixelData=bytes(1000))),
    "35-rows-lie": ("dicom-pixels-differ", _set(Rows=5000)),
    "35-frames-lie": ("dicom-pixels-differ", _set(NumberOfFrames="40")),
    "35-offset-table": (
        "dicom-offset-table",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([JPEG], table=struct.pack("<L", 900))),
    ),
    "35-offset-table-of-two": (
        "dicom-offset-table",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([JPEG], table=struct.pack("<2L", 0, 8))),
    ),
    "35-other-size": (
        "dicom-pixels-differ",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([JPEG.replace(b"\0\x0a", b"\xff\x0a")])),
    ),
    "35-no-end": (
        "dicom-unreadable",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([JPEG])[:-8]),
    ),
    "36-unsupported": (
        "dicom-transfer-syntax",
        lambda path: set_encapsulated(path, MPEG4, encapsulated([b"\0\0\0\x01"])),
    ),
    "36-says-compressed": ("dicom-transfer-syntax-differs", _relabel(RLELossless)),
    "36-says-implicit": ("dicom-transfer-syntax-differs", _relabel(ImplicitVRLittleEndian)),
    "36-says-big-endian": ("dicom-unreadable", _relabel(ExplicitVRBigEndian)),
    "36-says-native": (
        "dicom-transfer-syntax-differs",
        lambda path: set_encapsulated(path, "1.2.840.10008.1.2.1", encapsulated([JPEG])),
    ),
    "36-says-jpeg-2000": (
        "dicom-transfer-syntax-differs",
        lambda path: set_encapsulated(path, JPEG2000Lossless, encapsulated([JPEG])),
    ),
    "36-says-jpeg-ls": (
        "dicom-transfer-syntax-differs",
        lambda path: set_encapsulated(path, JPEGLSLossless, encapsulated([JPEG])),
    ),
    "36-other-bytes": (
        "dicom-transfer-syntax-differs",
        lambda path: set_encapsulated(path, JPEGBaseline8Bit, encapsulated([b"GIF89a" * 20])),
    ),
}
"""Name (which begins with the number in the list of bad inputs) to code and how to spoil a good file."""

NAMED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "27-program": ("dicom-preamble", lambda path: bad_inputs.replace_preamble(path, b"MZ\x90\0")),
    "27-elf": ("dicom-preamble", lambda path: bad_inputs.replace_preamble(path, b"\x7fELF")),
    "27-script": ("dicom-preamble", lambda path: bad_inputs.replace_preamble(path, b"#!/bin/sh\n")),
    "27-pdf": ("dicom-preamble", lambda path: bad_inputs.replace_preamble(path, b"%PDF-1.7")),
    "27-zip": ("dicom-preamble", lambda path: bad_inputs.replace_preamble(path, b"PK\x03\x04")),
    "30-odd-length": (
        "dicom-odd-length",
        lambda path: insert(path, bad_inputs.explicit(0x0010, 0x0001, b"LO", b"odd")),
    ),
    "31-no-frame-of-reference": ("dicom-no-frame-of-reference", _drop("FrameOfReferenceUID")),
    "32-long-uid": ("dicom-uid", _set(SeriesInstanceUID="1." + "2" * 70)),
    "32-letters": ("dicom-uid", _set(StudyInstanceUID="study^one")),
    "35-padded-pixels": ("dicom-pixels-padded", _set(PixelData=bytes(160 + 128))),
    "39-utf-8-as-latin": (
        "dicom-character-set",
        lambda path: insert(
            path,
            bad_inputs.explicit(0x0008, 0x1030, b"LO", "Knöchel".encode()),
            before=struct.pack("<2H", 0x0008, 0x103E),
        ),
    ),
    "39-no-such-set": ("dicom-character-set", _set(SpecificCharacterSet="ISO_IR 999")),
}
"""Files that can be used, with the code of what a person is told."""


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_by_its_own_code(path: Path, name: str, tell_figure: Callable[[str], None]) -> None:
    code, spoil = REFUSED[name]
    spoil(path)
    started = time.perf_counter()
    with pytest.raises(RejectedInput):
        dicom_findings(path)
    elapsed = time.perf_counter() - started
    tracemalloc.start()
    with pytest.raises(RejectedInput) as refusal:
        dicom_findings(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refusal.value.code == code
    _expect_no_patient(str(refusal.value))
    assert peak < 20e6
    if name.startswith(("28", "29")):
        tell_figure(f"bad DICOM {name}: {1000 * elapsed:.1f} ms, {peak / 1e6:.1f} MB")


@pytest.mark.parametrize("name", [name for name in REFUSED if name.startswith(("26", "28", "29", "30"))])
@pytest.mark.parametrize("keywords", [None, ["PatientID", "Rows"]])
def test_no_parser_sees_what_costs_too_much(
    path: Path, name: str, keywords: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, spoil = REFUSED[name]
    spoil(path)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the parser was called")

    monkeypatch.setattr("datasets.dicom_file.dcmread", fail)
    with pytest.raises(RejectedInput) as refusal:
        read_dataset(path, keywords=keywords)
    assert refusal.value.code == code


@pytest.mark.parametrize("name", NAMED)
def test_an_odd_file_is_read_and_named(path: Path, name: str) -> None:
    code, spoil = NAMED[name]
    if name == "39-utf-8-as-latin":
        edit(path, lambda dataset: delattr(dataset, "StudyDescription"))
        edit(path, lambda dataset: setattr(dataset, "SpecificCharacterSet", "ISO_IR 100"))
    spoil(path)
    (finding,) = dicom_findings(path)
    assert (finding.code, finding.level) == (code, Level.WARNING)
    _expect_no_patient(str(finding))
    assert read_dataset(path).PatientName == CANARY
    assert "PatientID" in read_dataset(path, keywords=["PatientID"])


def test_a_good_file_is_nothing_to_speak_of(path: Path) -> None:
    assert dicom_findings(path) == ()
    structure = _structure(path)
    assert (structure.depth, structure.items, structure.pixel_bytes) == (0, 0, 160)
    assert CANARY not in repr(structure)
    for preamble in (b"II*\0", b"MM\0*"):
        bad_inputs.replace_preamble(path, preamble)
        assert dicom_findings(path) == ()


def test_nesting_up_to_the_limit_is_read(path: Path) -> None:
    for defined in (True, False):
        insert(path, nested(100, defined=defined))
    assert _structure(path).depth == 100
    assert read_dataset(path).PatientName == CANARY


def test_a_deflated_file_is_read(path: Path) -> None:
    pixels = dcmread(path).PixelData
    bad_inputs.deflate(path)
    assert dicom_findings(path) == ()
    assert read_dataset(path).PixelData == pixels
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(RejectedInput, match=r"compressed-truncated|dicom-unreadable"):
        read_dataset(path)


def test_sequences_are_followed_in_every_encoding(path: Path) -> None:
    def add(dataset: Dataset) -> None:
        inner = Dataset()
        inner.ReferencedSOPInstanceUID = "1.2.3"
        outer = Dataset()
        outer.ReferencedImageSequence = Sequence([inner, inner])
        dataset.ReferencedStudySequence = Sequence([outer])
        dataset["ReferencedStudySequence"].is_undefined_length = True

    edit(path, add)
    for syntax in ("1.2.840.10008.1.2.1", ImplicitVRLittleEndian, ExplicitVRBigEndian):
        dataset = dcmread(path)
        dataset.file_meta.TransferSyntaxUID = syntax
        other = path.with_name(f"{syntax}.dcm")
        if syntax == ExplicitVRBigEndian:
            dataset["PixelData"].VR = "OW"
            dataset._read_little = None
        dataset.save_as(
            other, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian
        )
        structure = _structure(other)
        assert (structure.items, structure.depth) == (3, 2)
        assert structure.short(0x00280010) == 10
        assert structure.text(0x00080018) == dataset.SOPInstanceUID
        assert not structure.is_mislabelled


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "SC_rgb_jpeg.dcm", "rtplan.dcm",
     "reportsi.dcm", "UN_sequence.dcm", "nested_priv_SQ.dcm", "liver_1frame.dcm", "examples_palette.dcm"],
)  # fmt: skip
def test_the_walk_counts_what_pydicom_counts(name: str) -> None:
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"{name} does not come with pydicom")
    dataset = dcmread(found)
    structure = _structure(Path(found))
    elements = sum(1 for _ in dataset.iterall())
    assert structure.elements == elements
    assert structure.depth == _depth(dataset)


def _depth(dataset: Dataset) -> int:
    return max((1 + max(map(_depth, item.value), default=0) for item in dataset if item.VR == "SQ"), default=0)


def test_every_real_file_passes() -> None:
    for path in sorted(require(STS_DICOM).rglob("*.dcm")):
        with opened(path) as stream:
            assert [finding.code for finding in check_structure(walk(stream))] == []


def test_the_budget_is_the_caller_s(path: Path) -> None:
    insert(path, nested(5, defined=True))
    assert dicom_findings(path, budget=Budget(nesting=5, items=5)) == ()
    for budget, code in (
        (Budget(nesting=4), "dicom-nesting"),
        (Budget(items=4), "dicom-items"),
        (Budget(elements=20), "dicom-elements"),
        (Budget(volume_bytes=159), "declared-too-large"),
        (Budget(file_bytes=1000), "file-too-large"),
    ):
        with pytest.raises(RejectedInput, match=code):
            dicom_findings(path, budget=budget)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(132, 1300), content=st.binary(min_size=1, max_size=8))
def test_no_changed_bytes_raise_anything_else(path: Path, position: int, content: bytes) -> None:
    whole = bytearray(_original(path))
    whole[position : position + len(content)] = content
    path.write_bytes(whole)
    for read in (dicom_findings, read_dataset, lambda one: read_dataset(one, keywords=["PatientID", "PixelSpacing"])):
        try:
            read(path)
        except RejectedInput as refusal:
            _expect_no_patient(str(refusal))


_ORIGINALS: dict[Path, bytes] = {}


def _original(path: Path) -> bytes:
    return _ORIGINALS.setdefault(path, path.read_bytes())


def _structure(path: Path):
    with opened(path) as stream:
        return walk(stream)


def _expect_no_patient(shown: str) -> None:
    for secret in (CANARY, "Nightingale", "CANARY-ID", "study^one", "passwd"):
        assert secret not in shown
