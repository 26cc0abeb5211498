"""Bad DICOM files: each is refused or named with its own code, without recursion and in little memory."""

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
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from datasets.dicom.checks import check_structure
from datasets.dicom.file import dicom_findings, read_dataset
from datasets.dicom.structure import walk
from datasets.errors import RejectedInput
from datasets.finding import Level
from datasets.gate import Budget, opened
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol
from tests.data import STS_DICOM, require
from tests.datasets.support import bad_dicom_inputs
from tests.datasets.support.bad_dicom_inputs import NAMED_DICOM, REFUSED_DICOM, edit, insert, nested
from tests.datasets.support.bad_inputs import CANARY

PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=1, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    grid = Grid((8, 10, 1), np.diag([-0.8, -1.1, 4.0, 1.0]))
    pixels = np.arange(80, dtype=np.uint16).reshape(8, 10, 1)
    write_protocol(tmp_path, PROTOCOL, pixels, grid, identity=["test", "CANARY-ID"], name=CANARY)
    return tmp_path / "IM0001.dcm"


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED_DICOM)
def test_a_bad_file_is_refused_by_its_own_code(path: Path, name: str, tell_figure: Callable[[str], None]) -> None:
    code, spoil = REFUSED_DICOM[name]
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


@pytest.mark.parametrize("name", [name for name in REFUSED_DICOM if name.startswith(("26", "28", "29", "30"))])
@pytest.mark.parametrize("keywords", [None, ["PatientID", "Rows"]])
def test_no_parser_sees_what_costs_too_much(
    path: Path, name: str, keywords: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, spoil = REFUSED_DICOM[name]
    spoil(path)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the parser was called")

    monkeypatch.setattr("datasets.dicom.file.dcmread", fail)
    with pytest.raises(RejectedInput) as refusal:
        read_dataset(path, keywords=keywords)
    assert refusal.value.code == code


@pytest.mark.parametrize("name", NAMED_DICOM)
def test_an_odd_file_is_read_and_named(path: Path, name: str) -> None:
    code, spoil = NAMED_DICOM[name]
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
        bad_dicom_inputs.replace_preamble(path, preamble)
        assert dicom_findings(path) == ()


def test_nesting_up_to_the_limit_is_read(path: Path) -> None:
    for defined in (True, False):
        insert(path, nested(100, defined=defined))
    assert _structure(path).depth == 100
    assert read_dataset(path).PatientName == CANARY


def test_a_deflated_file_is_read(path: Path) -> None:
    pixels = dcmread(path).PixelData
    bad_dicom_inputs.deflate(path)
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
            dataset.set_original_encoding(dataset.original_encoding[0], None)
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


@pytest.mark.slow
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
