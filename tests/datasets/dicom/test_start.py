"""DICOM without preamble or meta information is read; files that only resemble it are not."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from curation.deidentification.folder import deidentify_folder
from curation.deidentification.policy.policy import Policy
from datasets.dicom.file import dicom_findings, looks_like_dicom, read_dataset
from datasets.dicom.header import read_header
from datasets.dicom.start import start_of
from datasets.dicom_series.series import group_series, read_series
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol

GRID = Grid((8, 10, 3), np.diag([-0.8, -1.1, 4.0, 1.0]))
PIXELS = np.arange(240, dtype=np.uint16).reshape(GRID.shape)
PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=3, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip


def _without_preamble(content: bytes) -> bytes:
    return content[132:]


def _without_meta(content: bytes, *, implicit: bool = False, little: bool = True) -> bytes:
    dataset = Dataset()
    dataset.update({element.tag: element for element in dcmread(BytesIO(content))})
    if not little:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = little, implicit
    write_dataset(stream, dataset)
    return stream.getvalue()


BARE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no preamble": (_without_preamble, ExplicitVRLittleEndian),
    "no meta": (_without_meta, ExplicitVRLittleEndian),
    "no meta, implicit": (lambda content: _without_meta(content, implicit=True), ImplicitVRLittleEndian),
    "no meta, big endian": (lambda content: _without_meta(content, little=False), ExplicitVRBigEndian),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_protocol(tmp_path / "image", PROTOCOL, PIXELS, GRID, identity=["s", "CANARY-ID"], name="Canary^Nightingale")
    return tmp_path / "image"


def _strip(folder: Path, kind: str) -> None:
    for path in folder.iterdir():
        path.write_bytes(BARE[kind][0](path.read_bytes()))


@pytest.mark.parametrize("kind", BARE)
def test_files_without_preamble_are_read_and_it_is_said(folder: Path, kind: str) -> None:
    _strip(folder, kind)
    paths = sorted(folder.iterdir())
    assert all(looks_like_dicom(path) for path in paths)
    (series,) = group_series(map(read_header, paths))
    assert np.array_equal(read_series(series).data, PIXELS)
    assert read_dataset(paths[0]).file_meta.TransferSyntaxUID == BARE[kind][1]
    assert [finding.code for finding in dicom_findings(paths[0])] == ["dicom-no-preamble"]


@pytest.mark.parametrize("kind", BARE)
def test_files_without_preamble_are_de_identified(folder: Path, tmp_path: Path, kind: str) -> None:
    _strip(folder, kind)
    report = deidentify_folder(folder, tmp_path / "out", Policy(), key=b"k" * 32, code_of=lambda _: "D1")
    assert (report.other_files, report.file_count) == (0, 3)
    written = sorted((tmp_path / "out").rglob("*.dcm"))
    (series,) = group_series(map(read_header, written))
    assert np.array_equal(read_series(series).data, PIXELS)
    for path in written:
        content = path.read_bytes()
        assert content[128:132] == b"DICM"
        assert b"Nightingale" not in content
        assert b"CANARY" not in content


def test_compressed_pixels_of_which_nothing_says_how_are_refused_by_name(folder: Path) -> None:
    path = sorted(folder.iterdir())[0]
    dataset = dcmread(path)
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(path)
    path.write_bytes(_without_preamble(path.read_bytes()))
    assert [finding.code for finding in dicom_findings(path)] == ["dicom-no-preamble"]
    meta_bytes = 12 + int.from_bytes(path.read_bytes()[8:12], "little")
    path.write_bytes(path.read_bytes()[meta_bytes:])
    with pytest.raises(RejectedInput) as caught:
        dicom_findings(path)
    assert caught.value.code == "dicom-transfer-syntax-differs"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08\x00",
        b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100",  # one element and no more
        b"\x08\x00\x05\x00XX\x0a\x00ISO_IR 100\x08\x00\x16\x00UI\x02\x001\x00",
        b"\x08\x00\x05\x00\xff\xff\xff\x7f" + bytes(900),
        b"\x08\x00\x16\x00UI\x02\x001\x00\x08\x00\x05\x00CS\x02\x00AB" + bytes(64),  # falling tags
        bytes(1000),
        b"A letter about a patient. " * 40,
    ],
)
def test_what_is_no_data_set_is_no_dicom(content: bytes) -> None:
    assert start_of(content) is None


@settings(max_examples=300, deadline=None)
@given(content=st.binary(min_size=16, max_size=300))
def test_arbitrary_bytes_are_no_dicom(content: bytes) -> None:
    found = start_of(b"\x08\x00" + content)
    assert found is None or found.syntax


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, 600), where=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_damaged_file_without_preamble_is_refused_by_name_or_read(
    tmp_path_factory: pytest.TempPathFactory, cut: int, where: int, byte: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "bare.dcm"
    content = bytearray(_BARE_FILE[: max(8, len(_BARE_FILE) - cut)])
    content[where % len(content)] = byte
    path.write_bytes(content)
    for read in (read_header, dicom_findings):
        try:
            read(path)
        except RejectedInput as error:
            refusal = str(error)
        else:
            refusal = ""
        assert "Canary" not in refusal


def _bare_file() -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.3"
    dataset.PatientName, dataset.PatientID = "Canary^Nightingale", "CANARY-ID"
    dataset.Rows = dataset.Columns = 8
    dataset.BitsAllocated = 16
    dataset.add_new(0x7FE00010, "OW", bytes(128))
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, True
    write_dataset(stream, dataset)
    return stream.getvalue()


_BARE_FILE = _bare_file()
