"""The pixels of one DICOM file, decoded and scaled."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.dicom_file import number, read_dataset, unreadable, without_warnings
from datasets.dicom_header import SliceHeader
from datasets.errors import RejectedInput

RESEND = "Send the series again from the archive."


def read_pixels(header: SliceHeader, *, what: str) -> NDArray[np.float32]:
    """One slice as (column, row) float32 with slope and intercept applied."""
    dataset = read_dataset(header.path)
    if "PixelData" not in dataset:
        raise RejectedInput("dicom-no-pixels", f"Expected pixels in {what}, got none.", remedy=RESEND)
    try:
        with without_warnings():
            pixels = np.asarray(dataset.pixel_array)
    except Exception as error:  # decoders raise anything, and their messages quote the file
        refusal = unreadable(error)
        raise RejectedInput(
            "dicom-pixels-unreadable", f"{what.capitalize()}: {refusal.message}", remedy=refusal.remedy
        ) from None
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
        RejectedInput: ``dicom-no-pixels`` or ``dicom-pixels-unreadable``.
    """
    from pydicom.pixels import iter_pixels

    dataset = read_dataset(path)
    if "PixelData" not in dataset:
        raise RejectedInput("dicom-no-pixels", f"Expected pixels in {what}, got none.", remedy=RESEND)
    try:
        with without_warnings():
            stored = np.stack([frame.T for frame in iter_pixels(dataset, indices=list(frames), raw=True)])
    except Exception as error:  # decoders raise anything, and their messages quote the file
        refusal = unreadable(error)
        raise RejectedInput(
            "dicom-pixels-unreadable", f"{what.capitalize()}: {refusal.message}", remedy=refusal.remedy
        ) from None
    return stored


def _differ(header: SliceHeader, what: str) -> RejectedInput:
    return RejectedInput(
        "dicom-pixels-differ",
        f"Expected {header.size[0]} x {header.size[1]} pixels and a slope other than zero in {what}.",
        remedy=RESEND,
    )
