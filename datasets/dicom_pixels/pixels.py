"""The pixels of one DICOM file, decoded and scaled; compressed ones are decoded in a child process."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from datasets.dicom.codestream import KINDS, NATIVE_SYNTAXES, Kind
from datasets.dicom.file import number, read_dataset, text, unreadable, without_warnings
from datasets.dicom.header import SliceHeader
from datasets.dicom_pixels.decoding import PixelForm, decode_picture
from datasets.dicom_pixels.stored_bits import StoredBits
from datasets.errors import RejectedInput

RESEND = "Send the series again from the archive."


def read_pixels(header: SliceHeader, *, what: str) -> NDArray[np.float32]:
    """One slice as (column, row) float32 with slope and intercept applied.

    Raises:
        RejectedInput: ``dicom-no-pixels``, ``dicom-pixels-unreadable``, ``dicom-pixels-differ``, ``dicom-bits`` (the
            header's stored bits are impossible), or what `decode_picture` refuses.
    """
    dataset = read_dataset(header.path)
    if header.frames != 1 or header.samples != 1:
        raise _differ(header, what)
    pixels = _stored_frames(dataset, [0], what=what)[0]
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    if pixels.shape != header.size[::-1] or slope == 0.0:
        raise _differ(header, what)
    values = pixels.astype(np.float32) * np.float32(1.0 if slope is None else slope) + np.float32(intercept or 0.0)
    return np.ascontiguousarray(values.T)


def read_frames(headers: Sequence[SliceHeader], *, what: str) -> NDArray[np.float32]:
    """Frames of one multi-frame file as (frame, column, row) float32, each with its own slope and intercept applied.

    Args:
        headers: One a frame, all of one file and picture size, in the order wanted.
        what: How a refusal calls them.

    Raises:
        RejectedInput: ``dicom-no-pixels``, ``dicom-pixels-unreadable`` or ``dicom-pixels-differ``.
    """
    frames = read_stored_frames(headers[0].path, [header.frame for header in headers], what=what)
    slopes, intercepts = np.array([header.rescale for header in headers], dtype=np.float32).T
    if frames.shape[1:] != headers[0].size or not slopes.all():
        raise _differ(headers[0], what)
    return frames.astype(np.float32) * slopes[:, None, None] + intercepts[:, None, None]


def read_stored_frames(path: Path, frames: Sequence[int], *, what: str) -> NDArray[np.integer]:
    """Frames of one grey multi-frame file as stored, (frame, column, row); frames count from 0.

    Raises:
        RejectedInput: ``dicom-no-pixels``, ``dicom-pixels-unreadable``, or what `decode_picture` refuses.
    """
    return _stored_frames(read_dataset(path), frames, what=what).swapaxes(1, 2)


def _stored_frames(dataset: Dataset, frames: Sequence[int], *, what: str) -> NDArray[np.integer]:
    """Frames as stored, (frame, row, column)."""
    if "PixelData" not in dataset:
        raise RejectedInput("dicom-no-pixels", f"There are no pixels in {what}.", remedy=RESEND)
    try:
        with without_warnings():
            return _frames_in_place(dataset, frames)
    except RejectedInput as refusal:
        message = f"{what.capitalize()}: {refusal.message}"
        raise RejectedInput(refusal.code, message, remedy=refusal.remedy) from None
    except Exception as error:  # parsers raise anything, and their messages quote the file
        message = f"{what.capitalize()}: {unreadable(error).message}"
        raise RejectedInput("dicom-pixels-unreadable", message, remedy=RESEND) from None


def _frames_in_place(dataset: Dataset, frames: Sequence[int]) -> NDArray[np.integer]:
    """Frames whose values begin at the lowest bit, wherever the file has them."""
    bits = StoredBits.of(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    if bits.below and syntax not in NATIVE_SYNTAXES and Kind.RLE not in KINDS.get(syntax, ()):
        raise RejectedInput(
            "dicom-bits",
            f"The header says that the {bits.stored} bits of compressed pixels end at bit {bits.high}; there they "
            "are always the lowest.",
            remedy="Have the archive send the series uncompressed (Explicit VR Little Endian).",
        )
    says_sign = number(dataset, "PixelRepresentation") is not None
    if not says_sign:
        dataset.PixelRepresentation = 0
    dataset.BitsStored, dataset.HighBit = bits.high + 1, bits.high  # pydicom believes them to begin at the lowest bit
    native = syntax in NATIVE_SYNTAXES
    found = _native_frames(dataset, frames) if native else _decoded_frames(dataset, frames)
    if bits.below and (found & ((1 << bits.below) - 1)).any():
        raise RejectedInput(
            "dicom-bits",
            f"The header says that the pixels' {bits.stored} bits end at bit {bits.high}, but something lies below "
            "them: the header is wrong, or an overlay lies there.",
            remedy="Export the series again with its high bit one less than its stored bits.",
        )
    values = bits.values(found)
    if not says_sign and (values >> (bits.stored - 1)).any():
        raise RejectedInput(
            "dicom-bits",
            "The header does not say whether pixels may be negative (Pixel Representation), and some would be.",
            remedy="Export the series again from the archive, or from the scanner, with its whole headers.",
        )
    return values


def _native_frames(dataset: Dataset, frames: Sequence[int]) -> NDArray[np.integer]:
    from pydicom.pixels import iter_pixels

    if dataset.BitsAllocated == 1:
        return np.stack([_bit_frame(dataset, frame) for frame in frames])
    found = list(iter_pixels(dataset, indices=list(frames), raw=True))
    return found[0][None] if len(found) == 1 else np.stack(found)


def _bit_frame(dataset: Dataset, frame: int) -> NDArray[np.uint8]:
    """A frame of single bits. They follow each other without regard to bytes (DICOM PS3.5, 8.1.1), and pydicom finds
    such a frame only when it reads them all."""
    size = dataset.Rows * dataset.Columns
    first, last = frame * size, (frame + 1) * size
    packed = np.frombuffer(dataset.PixelData[first // 8 : -(-last // 8)], dtype=np.uint8)
    bits = np.unpackbits(packed, bitorder="little")[first % 8 :][:size]
    return bits.reshape(dataset.Rows, dataset.Columns)


def _decoded_frames(dataset: Dataset, frames: Sequence[int]) -> NDArray[np.integer]:
    from pydicom.encaps import generate_frames

    form = PixelForm(
        transfer_syntax=str(dataset.file_meta.TransferSyntaxUID),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        bits_allocated=int(dataset.BitsAllocated),
        bits_stored=int(dataset.BitsStored),
        is_signed=dataset.PixelRepresentation == 1,
        photometric=text(dataset, "PhotometricInterpretation"),
    )
    count = int(number(dataset, "NumberOfFrames") or 1)
    wanted = set(frames)
    decoded = {
        index: decode_picture(compressed, form)
        for index, compressed in enumerate(generate_frames(dataset.PixelData, number_of_frames=count))
        if index in wanted
    }
    return np.stack([decoded[index] for index in frames])


def _differ(header: SliceHeader, what: str) -> RejectedInput:
    return RejectedInput(
        "dicom-pixels-differ",
        f"The pixels of {what} are not {header.size[0]} x {header.size[1]}, or their slope is zero.",
        remedy=RESEND,
    )
