"""Compressed pictures: the same pixels as before they were compressed, and nothing that they break is ours."""

import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gdcm
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from datasets.dicom.file import dicom_findings
from datasets.dicom.header import read_header
from datasets.dicom_pixels import decoding
from datasets.dicom_pixels.decoding import PixelForm, child_id, decode_picture, end_decoding
from datasets.dicom_series.series import group_series, read_series
from datasets.errors import RejectedInput
from datasets.gate import Budget
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol

pytestmark = pytest.mark.slow

SYNTAXES = {
    "JPEG lossless": (gdcm.TransferSyntax.JPEGLosslessProcess14_1, JPEGLosslessSV1),
    "JPEG-LS": (gdcm.TransferSyntax.JPEGLSLossless, JPEGLSLossless),
    "JPEG 2000": (gdcm.TransferSyntax.JPEG2000Lossless, JPEG2000Lossless),
    "RLE": (gdcm.TransferSyntax.RLELossless, RLELossless),
}
FORM = PixelForm(JPEGLosslessSV1, rows=96, columns=80, bits_stored=12)


@pytest.fixture(autouse=True)
def _no_child_stays() -> Iterator[None]:
    yield
    end_decoding()


def _write_series(folder: Path, *, size: int = 80, slices: int = 2) -> np.ndarray:
    grid = Grid((size, size + 16, slices), np.diag([-0.8, -0.8, 4.0, 1.0]))
    i, j, k = np.indices(grid.shape)
    noise = np.random.default_rng(0).normal(scale=15, size=grid.shape)
    pixels = np.clip(1500 + 900 * np.sin(i / 9) * np.cos(j / 13) + 40 * k + noise, 0, 4095).astype(np.uint16)
    protocol = Protocol(
        name="t2", description="AX T2", size=size, slices=slices, gap_mm=4.0, sequence="SE", scan_options="FS",
        repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
    )  # fmt: skip
    write_protocol(folder, protocol, pixels, grid, identity=["test", "CANARY-ID"], name="Canary^Nightingale")
    return pixels


def _compress(path: Path, syntax: int) -> None:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def _series(folder: Path):
    (series,) = group_series(read_header(path) for path in sorted(folder.iterdir()))
    return series


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, np.ndarray]:
    """One picture as a JPEG lossless code stream, and its pixels (rows, columns)."""
    folder = tmp_path_factory.mktemp("picture")
    pixels = _write_series(folder)
    _compress(folder / "IM0001.dcm", SYNTAXES["JPEG lossless"][0])
    frame = next(generate_frames(dcmread(folder / "IM0001.dcm").PixelData, number_of_frames=1))
    return frame, pixels[:, :, 0].T


@pytest.mark.parametrize("name", SYNTAXES)
def test_a_compressed_series_has_the_pixels_it_had(tmp_path: Path, name: str) -> None:
    pixels = _write_series(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        _compress(path, SYNTAXES[name][0])
        assert dcmread(path).file_meta.TransferSyntaxUID == SYNTAXES[name][1]
        assert dicom_findings(path) == ()
    assert np.array_equal(read_series(_series(tmp_path)).data, pixels)


def test_signed_pixels_stay_signed(tmp_path: Path) -> None:
    pixels = _write_series(tmp_path).astype(np.int16) - 2000
    for k, path in enumerate(sorted(tmp_path.iterdir())):
        dataset = dcmread(path)
        dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 1, 16, 15
        dataset.PixelData = np.ascontiguousarray(pixels[:, :, k].T).tobytes()
        dataset.save_as(path)
        _compress(path, SYNTAXES["JPEG 2000"][0])
    assert np.array_equal(read_series(_series(tmp_path)).data, pixels)


def test_one_child_serves_a_series_and_knows_nothing_of_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")
    _write_series(tmp_path, slices=3)
    for path in sorted(tmp_path.iterdir()):
        _compress(path, SYNTAXES["RLE"][0])
    assert child_id() is None
    read_series(_series(tmp_path))
    child = child_id()
    assert child is not None
    read_series(_series(tmp_path))
    assert child_id() == child
    process = Path("/proc") / str(child)
    if process.is_dir():
        assert b"canary" not in (process / "environ").read_bytes()
        assert "django" not in (process / "maps").read_text()
        assert "annotation_backend" not in (process / "cmdline").read_text()


def test_a_child_that_ended_for_want_of_work_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: tuple[bytes, np.ndarray]
) -> None:
    frame, pixels = compressed
    _use_worker(monkeypatch, tmp_path, "worker.IDLE_SECONDS = 0.2")
    assert np.array_equal(decode_picture(frame, FORM), pixels)
    first = child_id()
    assert first is not None
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert np.array_equal(decode_picture(frame, FORM), pixels)
    assert child_id() not in (None, first)


def test_a_forked_process_starts_a_child_of_its_own(compressed: tuple[bytes, np.ndarray]) -> None:
    frame, pixels = compressed
    decode_picture(frame, FORM)
    own = child_id()
    forked = os.fork()
    if forked == 0:
        is_right = child_id() is None and np.array_equal(decode_picture(frame, FORM), pixels)
        is_other = child_id() not in (None, own)
        end_decoding()
        os._exit(0 if is_right and is_other else 1)
    assert os.waitpid(forked, 0)[1] == 0
    assert np.array_equal(decode_picture(frame, FORM), pixels)
    assert child_id() == own


_CHANGED = """
import importlib.util, os, signal, struct, sys, time
spec = importlib.util.spec_from_file_location("worker", {worker!r})
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
{change}
worker.serve()
"""
_HOSTILE = """
def decode(head, compressed):
    {body}
worker.picture_decoder = lambda: decode
"""
HOSTILE = {
    "decoder-crashed": "os.kill(os.getpid(), signal.SIGSEGV)",
    "decoder-timeout": "time.sleep(60)",
    "decoder-memory": "return bytes(1 << 30)",
    "dicom-pixels-unreadable": "raise ValueError('Canary^Nightingale')",
}


def _use_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str) -> None:
    script = tmp_path / "changed.py"
    script.write_text(_CHANGED.format(worker=str(decoding.WORKER), change=change))
    monkeypatch.setattr(decoding, "WORKER", script)
    end_decoding()


def _use_hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str) -> None:
    _use_worker(monkeypatch, tmp_path, _HOSTILE.format(body=body))
    monkeypatch.setattr(decoding, "START_SECONDS", 2.0)


@pytest.mark.parametrize("code", HOSTILE)
def test_what_a_picture_breaks_is_the_child_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: tuple[bytes, np.ndarray], code: str
) -> None:
    frame, pixels = compressed
    with monkeypatch.context() as patched:
        _use_hostile(patched, tmp_path, HOSTILE[code])
        started = time.monotonic()
        with pytest.raises(RejectedInput) as refusal:
            decode_picture(frame, FORM, budget=Budget(decoder_seconds=0.3))
        assert refusal.value.code == code
        assert "Nightingale" not in str(refusal.value)
        assert time.monotonic() - started < 10
    end_decoding()
    assert np.array_equal(decode_picture(frame, FORM), pixels)


@pytest.mark.slow
def test_processor_time_ends_with_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: tuple[bytes, np.ndarray]
) -> None:
    """The system ends the child by itself, long before we would: also where nobody waits for the answer any more."""
    _use_hostile(monkeypatch, tmp_path, "while True: pass")
    monkeypatch.setattr(decoding, "START_SECONDS", 60.0)
    started = time.monotonic()
    with pytest.raises(RejectedInput, match="decoder-crashed"):
        decode_picture(compressed[0], FORM, budget=Budget(decoder_seconds=0.1))
    assert time.monotonic() - started < 60.0
    assert child_id() is None


@pytest.mark.parametrize(
    "answer", ["b'P' + struct.pack('>Q', 1 << 60)", "b'R' + struct.pack('>Q', 1 << 60)", "b'?' + bytes(8)"]
)
def test_a_child_that_answers_what_it_may_not_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: tuple[bytes, np.ndarray], answer: str
) -> None:
    script = tmp_path / "liar.py"
    script.write_text(f"import os, struct, time\nos.read(0, 4)\nos.write(1, {answer})\ntime.sleep(20)\n")
    monkeypatch.setattr(decoding, "WORKER", script)
    with pytest.raises(RejectedInput, match="decoder-crashed"):
        decode_picture(compressed[0], FORM)


def test_a_child_that_reads_nothing_does_not_hold_us_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deaf.py").write_text("import time\ntime.sleep(20)\n")
    monkeypatch.setattr(decoding, "WORKER", tmp_path / "deaf.py")
    monkeypatch.setattr(decoding, "START_SECONDS", 0.2)
    with pytest.raises(RejectedInput, match="decoder-timeout"):
        decode_picture(b"\xff\xd8" + bytes(1 << 20), FORM, budget=Budget(decoder_seconds=0.2))


def test_garbage_is_refused_and_the_child_goes_on(compressed: tuple[bytes, np.ndarray]) -> None:
    frame, pixels = compressed
    assert np.array_equal(decode_picture(frame, FORM), pixels)
    child = child_id()
    for garbage in (b"", bytes(100), b"\xff\xd8" + os.urandom(2000), frame[: len(frame) // 2][:200]):
        with pytest.raises(RejectedInput):
            decode_picture(garbage, FORM)
    assert np.array_equal(decode_picture(frame, FORM), pixels)
    assert child_id() == child


def _jpeg_2000_of(columns: int, rows: int) -> bytes:
    size = struct.pack(">2H8LH3B", 41, 0, columns, rows, 0, 0, columns, rows, 0, 0, 1, 15, 1, 1)
    coding = struct.pack(">H10B", 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 0)
    quantisation = struct.pack(">HB", 3 + 16, 0x40) + bytes(range(0x88, 0x98))
    tile = b"\xff\x90" + struct.pack(">2HLBB", 10, 0, 0, 0, 1) + b"\xff\x93" + bytes(64) + b"\xff\xd9"
    return b"\xff\x4f\xff\x51" + size + b"\xff\x52" + coding + b"\xff\x5c" + quantisation + tile


@pytest.mark.parametrize(
    ("columns", "rows", "code"),
    [(65535, 65535, "declared-too-large"), (30000, 30000, "inflation-ratio"), (80, 60000, "dicom-pixels-differ")],
)
def test_a_picture_that_claims_too_much_is_never_decoded(columns: int, rows: int, code: str) -> None:
    said = (96, 80) if code == "dicom-pixels-differ" else (rows, columns)
    with pytest.raises(RejectedInput) as refusal:
        decode_picture(_jpeg_2000_of(columns, rows), PixelForm(JPEG2000Lossless, *said))
    assert refusal.value.code == code
    assert child_id() is None, "a child was asked"


@pytest.mark.parametrize(
    "form",
    [
        PixelForm("1.2.840.10008.1.2.4.102", 96, 80),
        PixelForm("1.2.840.10008.1.2.1", 96, 80),
        PixelForm(JPEGBaseline8Bit, 96, 80, bits_allocated=12),
    ],
)
def test_another_kind_is_refused(form: PixelForm) -> None:
    with pytest.raises(RejectedInput, match="dicom-transfer-syntax"):
        decode_picture(b"\xff\xd8", form)


@pytest.mark.slow
def test_an_ordinary_series_takes_its_time(tmp_path: Path, tell_figure: Callable[[str], None]) -> None:
    """40 slices of 512 x 528 pixels, the child's start included."""
    pixels = _write_series(tmp_path, size=512, slices=40)
    for path in sorted(tmp_path.iterdir()):
        _compress(path, SYNTAXES["JPEG lossless"][0])
    series = _series(tmp_path)
    started = time.perf_counter()
    volume = read_series(series)
    elapsed = time.perf_counter() - started
    assert np.array_equal(volume.data, pixels)
    started = time.perf_counter()
    for path in series.files:
        dcmread(path).pixel_array  # noqa: B018
    tell_figure(
        f"40 slices of 512 x 528, JPEG lossless: {elapsed:.2f} s in a child process that starts, "
        f"{time.perf_counter() - started:.2f} s in this one"
    )
