"""Values come from the bits that the header names, wherever these lie; a header that cannot be is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian, JPEGLSLossless, RLELossless

from datasets.dicom.header import read_header
from datasets.dicom_pixels.pixels import read_pixels
from datasets.dicom_pixels.stored_bits import StoredBits
from datasets.errors import RejectedInput
from datasets.image.volume import Grid
from datasets.phantom.scanner import Protocol, write_protocol

PROTOCOL = Protocol(
    name="t2", description="AX T2", size=8, slices=2, gap_mm=4.0, sequence="SE", scan_options="FS",
    repetition_time_ms=4000.0, echo_time_ms=80.0, number=2,
)  # fmt: skip
VALUES = np.random.default_rng(0).integers(0, 4096, (10, 8)).astype(np.int32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    grid = Grid((8, 10, 2), np.diag([-0.8, -1.1, 4.0, 1.0]))
    pixels = np.zeros(grid.shape, np.uint16)
    return write_protocol(tmp_path, PROTOCOL, pixels, grid, identity=["s", "CANARY-ID"], name="Canary^N").files[0]


def _store(
    path: Path, words: NDArray[np.int32], *, stored: int = 12, high: int = 11, signed: int = 0,
    change: Callable[[Dataset], object] = lambda dataset: None,
) -> None:  # fmt: skip
    dataset = dcmread(path)
    dataset.PixelData = words.astype("<i4").astype("<u2").tobytes()
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, signed
    change(dataset)
    dataset.BitsStored, dataset.HighBit = stored, high
    dataset.save_as(path)


def _read(path: Path) -> NDArray[np.float32]:
    return read_pixels(read_header(path), what="slice 1")


def _rle(dataset: Dataset) -> None:
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)


def _jpeg_ls(dataset: Dataset) -> None:
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)


@pytest.mark.parametrize("high", [11, 12, 13, 15])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("change", [lambda dataset: None, _rle])
def test_values_are_read_wherever_their_high_bit_is(
    path: Path, high: int, signed: int, change: Callable[[Dataset], object]
) -> None:
    values = VALUES - 2048 * signed
    _store(path, (values << (high - 11)), high=high, signed=signed, change=change)
    assert np.array_equal(_read(path), values.T)


@pytest.mark.parametrize("change", [lambda dataset: None, _rle, _jpeg_ls])
def test_an_overlay_above_the_values_is_no_part_of_them(path: Path, change: Callable[[Dataset], object]) -> None:
    _store(path, VALUES | (VALUES % 2 << 12), change=change)
    assert np.array_equal(_read(path), VALUES.T)


@pytest.mark.parametrize("change", [lambda dataset: None, _rle, _jpeg_ls])
def test_values_without_a_word_on_their_sign_are_read_where_none_could_be_negative(
    path: Path, change: Callable[[Dataset], object]
) -> None:
    def unsaid(dataset: Dataset) -> None:
        change(dataset)
        del dataset.PixelRepresentation

    whole = path.read_bytes()
    _store(path, VALUES // 2, change=unsaid)
    assert np.array_equal(_read(path), VALUES.T // 2)
    path.write_bytes(whole)
    _store(path, VALUES, change=unsaid)
    with pytest.raises(RejectedInput, match=r"negative.*dicom-bits"):
        _read(path)


def test_big_endian_values_are_read_too(path: Path) -> None:
    _store(path, VALUES << 4, high=15)
    dataset = Dataset()
    dataset.update(dcmread(path))
    dataset.file_meta = dcmread(path).file_meta
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.save_as(path, implicit_vr=False, little_endian=False, enforce_file_format=True)
    assert np.array_equal(_read(path), VALUES.T)


@pytest.mark.parametrize(
    ("stored", "high", "words", "change"),
    [
        (12, 15, VALUES, lambda dataset: None),  # the header says upper bits, and the values are in the lower
        (12, 15, (VALUES << 4) | 1, lambda dataset: None),
        (12, 10, VALUES, lambda dataset: None),
        (12, 16, VALUES, lambda dataset: None),
        (17, 16, VALUES, lambda dataset: None),
        (12, 15, VALUES << 4, _jpeg_ls),
    ],
)
def test_stored_bits_that_cannot_be_are_refused_by_name(
    path: Path, stored: int, high: int, words: NDArray[np.int32], change: Callable[[Dataset], object]
) -> None:
    _store(path, words, stored=stored, high=high, change=change)
    with pytest.raises(RejectedInput) as caught:
        _read(path)
    assert caught.value.code == "dicom-bits"


@settings(max_examples=200, deadline=None)
@given(
    allocated=st.sampled_from([8, 16, 32]), data=st.data(), signed=st.booleans(), above=st.integers(0, 2**32 - 1),
    below=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_what_hides_in_unused_bits_is_seen_and_cleared(
    allocated: int, data: st.DataObject, signed: bool, above: int, below: int
) -> None:
    stored = data.draw(st.integers(1, allocated))
    high = data.draw(st.integers(stored - 1, allocated - 1))
    bits = StoredBits(allocated, stored, high, is_signed=signed)
    value = data.draw(st.integers(0, 2**stored - 1))
    kind = f"{'i' if signed else 'u'}{allocated // 8}"

    def pixel(word: int) -> NDArray[np.integer]:
        return np.array([word % 2**allocated], f"u{allocated // 8}").view(kind)

    sign = (2 ** (allocated - high - 1) - 1) if signed and value >= 2 ** (stored - 1) else 0
    clean = pixel((sign << (high + 1)) | (value << bits.below))
    assert np.array_equal(bits.cleaned(clean), clean)
    assert not bits.hide_something(clean)
    assert not bits.hide_something(pixel(value << bits.below))  # not every program extends the sign
    word = (above << (high + 1)) | (value << bits.below) | below % 2**bits.below
    assert np.array_equal(bits.cleaned(pixel(word)), clean)
    hides = below % 2**bits.below != 0 or (above % 2**bits.above) not in (0, sign)
    assert bits.hide_something(pixel(word)) == hides
