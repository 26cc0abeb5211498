"""A picture's mask as a few hundred bytes, for a database row: one bit a pixel, deflated."""

import numpy as np

from datasets.deflated import deflated, inflated
from datasets.errors import RejectedInput
from datasets.image.mask import Inside


def packed(mask: Inside) -> bytes:
    """The bits of a mask (height, width), row by row, deflated."""
    return deflated(np.packbits(mask).tobytes())


def unpacked(content: bytes, shape: tuple[int, int]) -> Inside:
    """The mask (height, width) behind `packed`.

    Raises:
        RejectedInput: The bytes are damaged, or are those of another size (``packed-mask``).
    """
    pixels = shape[0] * shape[1]
    bits = inflated(content, (pixels + 7) // 8)
    if bits is None:
        raise RejectedInput(
            "packed-mask",
            f"The stored bytes are not the packed mask of {shape[0]} x {shape[1]} pixels.",
            remedy="Restore the database from its backup.",
        )
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=pixels).astype(bool).reshape(shape)
