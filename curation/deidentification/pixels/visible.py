"""Strips pixel data of hidden data: bytes behind the last pixel, and bits above the stored ones.

Old overlays lie in the unused high bits of each pixel, and padding may be anything. Compressed pictures keep their
pixels and lose comments and all other data beside them (`compressed_pixels`).
"""

import numpy as np
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian

from curation.deidentification.pixels.compressed_pixels import bare_compressed
from curation.deidentification.pixels.hidden_bits import refuse_hidden_bits
from datasets.dicom.file import number
from datasets.dicom_pixels.stored_bits import StoredBits
from datasets.errors import RejectedInput

_INTEGERS = {8: "u1", 16: "u2", 32: "u4", 64: "u8"}


def bare_pixels(dataset: Dataset) -> bytes:
    """The object's pixel data, cut to the picture and with its unused bits as the sign, or zero.

    Raises:
        RejectedInput: Fewer bytes than the picture has (``pixels-too-few``), stored bits that cannot be
            (``dicom-bits``), compressed pictures that cannot be told from what lies beside them
            (``pixels-not-clean``), or that have something in their unused bits (``pixels-hidden-bits``).
    """
    content = bytes(dataset.PixelData)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        frames, pixels = _count(dataset, "NumberOfFrames"), _count(dataset, "Rows") * _count(dataset, "Columns")
        bare = bare_compressed(content, syntax, frames=frames, pixels=pixels)
        refuse_hidden_bits(bare, dataset, frames=frames)
        return bare
    allocated = _count(dataset, "BitsAllocated")
    samples = [_count(dataset, name) for name in ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames")]
    needed = (int(np.prod(samples)) * allocated + 7) // 8
    if len(content) < needed:
        raise RejectedInput(
            "pixels-too-few",
            f"Expected {needed} bytes of pixels, got {len(content)}.",
            remedy="Export the image from the archive again.",
        )
    picture = _wiped(content[:needed], dataset, allocated)
    return picture + b"\0" * (len(picture) % 2)


def _wiped(content: bytes, dataset: Dataset, allocated: int) -> bytes:
    bits = StoredBits.of(dataset)  # with an impossible header the unused bits are unknown
    if not bits.above and not bits.below:
        return content
    if allocated not in _INTEGERS:
        raise RejectedInput(
            "dicom-bits",
            f"Expected pixels of 8, 16, 32 or 64 bits, or without unused ones, got {allocated} bits of which "
            f"{bits.stored} are used.",
            remedy="Export the object from the archive again with 16 bits a pixel.",
        )
    is_big_endian = dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    order = ">" if is_big_endian else "<"
    kind = _INTEGERS[allocated].replace("u", "i" if number(dataset, "PixelRepresentation") == 1 else "u")
    values = np.frombuffer(content, dtype=order + kind).astype(kind)
    return bits.cleaned(values).astype(order + kind).tobytes()


def _count(dataset: Dataset, keyword: str) -> int:
    found = number(dataset, keyword)
    return int(found) if found and found > 0 else 1
