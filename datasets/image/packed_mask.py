"""A picture's mask as a few hundred bytes, for a database row: one bit a pixel, deflated."""

import zlib

import numpy as np

from datasets.errors import RejectedInput
from datasets.image.mask import Inside

_LEVEL = 1
"""Masks are long runs: higher levels take three times as long for a tenth less."""


def packed(mask: Inside) -> bytes:
    """The bits of a mask (height, width), row by row, deflated."""
    return zlib.compress(np.packbits(mask).tobytes(), _LEVEL)


def unpacked(content: bytes, shape: tuple[int, int]) -> Inside:
    """The mask (height, width) behind `packed`.

    Raises:
        RejectedInput: The bytes are damaged, or are those of another size (``packed-mask``).
    """
    pixels = shape[0] * shape[1]
    wanted = (pixels + 7) // 8
    try:
        reader = zlib.decompressobj()
        bits = reader.decompress(bytes(content), wanted + 1)
    except zlib.error:
        bits = b""
    if len(bits) != wanted:
        raise RejectedInput(
            "packed-mask",
            f"The stored bytes are not the packed mask of {shape[0]} x {shape[1]} pixels.",
            remedy="Restore the database from its backup.",
        )
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=pixels).astype(bool).reshape(shape)
