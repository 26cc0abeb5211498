"""The pixels of one DICOM file, decoded and scaled."""

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
        raise RejectedInput(
            "dicom-pixels-differ",
            f"Expected {header.size[0]} x {header.size[1]} pixels and a slope other than zero in {what}.",
            remedy=RESEND,
        )
    values = pixels.astype(np.float32) * np.float32(1.0 if slope is None else slope) + np.float32(intercept or 0.0)
    return np.ascontiguousarray(values.T)
