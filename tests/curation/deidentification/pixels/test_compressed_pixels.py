"""Compressed pixels leave with the same picture and nothing beside it."""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import gdcm
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000, MPEG2MPML, UID, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from curation.deidentification.instance import deidentify, written_bytes
from curation.deidentification.policy.policy import Policy
from datasets.errors import RejectedInput
from tests.planted_dicom import image

NAME = b"Nightingale "
PIXELS = np.random.default_rng(0).integers(0, 255, (32, 40), dtype=np.uint8)


def jpeg(comment: bytes = b"") -> bytes:
    return coded("JPEG", **({"comment": comment} if comment else {}))


def coded(kind: str, **options: object) -> bytes:
    stream = BytesIO()
    Image.fromarray(PIXELS).save(stream, kind, **options)
    return stream.getvalue()


def jpeg_2000(comment: str = "Maskloop") -> bytes:
    return coded("JPEG2000", no_jp2=True, comment=comment, tile_size=(16, 16))


def with_segment(picture: bytes, marker: int) -> bytes:
    return picture[:2] + struct.pack(">2H", marker, len(NAME) + 2) + NAME + picture[2:]


def rle(tail: bytes = b"") -> bytes:
    runs = b"".join(bytes([39]) + row.tobytes() for row in PIXELS)
    return struct.pack("<16L", 1, 64, *[0] * 14) + runs + tail


def jpeg_ls_with_comment() -> bytes:
    parts = (0xFFF7, b"\x08\x00\x20\x00\x28\x01\x01\x11\x00"), (0xFFFE, NAME), (0xFFDA, b"\x01\x01\x00\x00\x00\x00")
    segments = b"".join(struct.pack(">2H", marker, len(body) + 2) + body for marker, body in parts)
    return b"\xff\xd8" + segments + b"\x12\xff\x7f\x34\xff\xd9"


def left_of(fragments: list[bytes], syntax: str, *, frames: int = 1) -> bytes:
    return written_bytes(deidentify(planted(fragments, syntax, frames), Policy(), key=b"k" * 32, patient_code="D1"))


def planted(fragments: list[bytes], syntax: str, frames: int = 1) -> Dataset:
    dataset = image()
    dataset.Rows, dataset.Columns = PIXELS.shape
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.NumberOfFrames = 7, frames
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate(fragments, has_bot=frames > 1)
    dataset["PixelData"].is_undefined_length = True
    return dataset


HIDDEN = {
    "JPEG comment": ([jpeg(NAME)], JPEGBaseline8Bit),
    "JPEG APP1": ([with_segment(jpeg(), 0xFFE1)], JPEGBaseline8Bit),
    "behind a JPEG's end": ([jpeg() + NAME], JPEGBaseline8Bit),
    "a fragment of its own": ([jpeg(), NAME], JPEGBaseline8Bit),
    "JPEG-LS comment": ([jpeg_ls_with_comment()], JPEGLSLossless),
    "JPEG 2000 comment": ([jpeg_2000(NAME.decode())], JPEG2000Lossless),
    "behind a JPEG 2000's end": ([jpeg_2000() + NAME], JPEG2000),
    "behind the last run": ([rle(NAME)], RLELossless),
}


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_name_beside_the_picture_goes(hidden: str) -> None:
    assert NAME.strip() in b"".join(HIDDEN[hidden][0])
    assert NAME.strip() not in left_of(*HIDDEN[hidden])


@pytest.mark.parametrize(
    ("picture", "syntax"),
    [(jpeg(NAME), JPEGBaseline8Bit), (jpeg_2000(), JPEG2000Lossless), (rle(NAME), RLELossless)],
)
def test_the_pictures_stay_the_same(picture: bytes, syntax: str) -> None:
    before = planted([picture, picture], syntax, frames=2).pixel_array
    after = dcmread(BytesIO(left_of([picture, picture], syntax, frames=2))).pixel_array
    assert before.shape == (2, *PIXELS.shape)
    assert np.array_equal(before, after)


VALUES = np.random.default_rng(1).integers(0, 4096, (12, 10)).astype(np.uint16)
OVERLAY = (np.indices(VALUES.shape).sum(axis=0) % 5 == 0).astype(np.uint16)


def _rle_encoded(dataset: Dataset) -> None:
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)


def _jpeg_ls_encoded(dataset: Dataset) -> None:
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)


def _by_gdcm(syntax: gdcm.TransferSyntax) -> Callable[[Dataset], None]:
    def encode(dataset: Dataset) -> None:
        stream = BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        with NamedTemporaryFile(suffix=".dcm") as file:
            Path(file.name).write_bytes(stream.getvalue())
            reader = gdcm.ImageReader()
            reader.SetFileName(file.name)
            assert reader.Read()
            change = gdcm.ImageChangeTransferSyntax()
            change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
            change.SetInput(reader.GetImage())
            assert change.Change()
            writer = gdcm.ImageWriter()
            writer.SetFileName(file.name)
            writer.SetFile(reader.GetFile())
            writer.SetImage(change.GetOutput())
            assert writer.Write()
            changed = dcmread(file.name)
        dataset.PixelData = changed.PixelData
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = changed.file_meta.TransferSyntaxUID

    return encode


CODINGS: dict[str, Callable[[Dataset], None]] = {
    "RLE": _rle_encoded,
    "JPEG-LS": _jpeg_ls_encoded,
    "JPEG lossless": _by_gdcm(gdcm.TransferSyntax.JPEGLosslessProcess14_1),
    "JPEG 2000": _by_gdcm(gdcm.TransferSyntax.JPEG2000Lossless),
}


def hidden_in(words: np.ndarray, coding: str, *, high: int = 11, frames: int = 1) -> Dataset:
    """Pixels of twelve bits, coded as if all sixteen were theirs."""
    dataset = image()
    dataset.Rows, dataset.Columns = words.shape
    dataset.NumberOfFrames = frames
    dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.PixelData = b"".join([VALUES.tobytes()] * (frames - 1)) + words.astype("<u2").tobytes()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(str(dataset.SOPClassUID))
    CODINGS[coding](dataset)
    dataset.BitsStored, dataset.HighBit = 12, high
    return dataset


def leaves(dataset: Dataset) -> Dataset:
    return dcmread(BytesIO(written_bytes(deidentify(dataset, Policy(), key=b"k" * 32, patient_code="D1"))))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("bit", [12, 14, 15])
def test_an_overlay_hidden_in_unused_bits_of_compressed_pixels_is_held_back(coding: str, bit: int) -> None:
    with pytest.raises(RejectedInput) as error:
        leaves(hidden_in(VALUES | (OVERLAY << bit), coding))
    assert error.value.code == "pixels-hidden-bits"


@pytest.mark.parametrize("coding", CODINGS)
def test_compressed_pixels_with_nothing_in_their_unused_bits_leave_as_they_are(coding: str) -> None:
    left = leaves(hidden_in(VALUES, coding))
    left.BitsStored, left.HighBit = 16, 15
    assert np.array_equal(left.pixel_array, VALUES)


@pytest.mark.parametrize("coding", ["RLE", "JPEG-LS"])
def test_an_overlay_below_the_values_is_held_back(coding: str) -> None:
    leaves(hidden_in(VALUES << 4, coding, high=15))
    with pytest.raises(RejectedInput) as error:
        leaves(hidden_in((VALUES << 4) | OVERLAY, coding, high=15))
    assert error.value.code == "pixels-hidden-bits"


def test_an_overlay_in_the_last_of_several_frames_is_held_back() -> None:
    with pytest.raises(RejectedInput) as error:
        leaves(hidden_in(VALUES | (OVERLAY << 12), "RLE", frames=3))
    assert error.value.code == "pixels-hidden-bits"


def test_an_overlay_below_plain_values_is_cleared() -> None:
    dataset = image()
    dataset.Rows, dataset.Columns = VALUES.shape
    dataset.BitsStored, dataset.HighBit = 12, 15
    dataset.PixelData = ((VALUES << 4) | OVERLAY).astype("<u2").tobytes()
    assert np.array_equal(np.frombuffer(leaves(dataset).PixelData, "<u2").reshape(VALUES.shape), VALUES << 4)


@pytest.mark.parametrize("coding", ["RLE", "JPEG-LS"])
def test_compressed_pixels_of_more_bits_than_the_header_allocates_are_held_back(coding: str) -> None:
    dataset = hidden_in(VALUES | (OVERLAY << 12), coding)
    dataset.BitsAllocated = 12  # as if nothing were unused
    with pytest.raises(RejectedInput) as error:
        leaves(dataset)
    assert error.value.code == "dicom-bits"


def test_a_scan_is_copied_whole() -> None:
    left = dcmread(BytesIO(left_of([jpeg_ls_with_comment()], JPEGLSLossless)))
    assert next(generate_frames(left.PixelData, number_of_frames=1)).rstrip(b"\0").endswith(b"\x12\xff\x7f\x34\xff\xd9")


@pytest.mark.parametrize(
    ("fragments", "syntax"),
    [([coded("JPEG2000", no_jp2=False)], JPEG2000Lossless), ([b"no picture at all!"], JPEGBaseline8Bit),
     ([jpeg()[:200]], JPEGBaseline8Bit), ([rle()[:200]], RLELossless), ([jpeg_2000()[:200]], JPEG2000),
     ([jpeg()], MPEG2MPML)],
)  # fmt: skip
def test_what_cannot_be_told_from_its_picture_is_held_back(fragments: list[bytes], syntax: str) -> None:
    with pytest.raises(RejectedInput) as error:
        left_of(fragments, syntax)
    assert error.value.code == "pixels-not-clean"
