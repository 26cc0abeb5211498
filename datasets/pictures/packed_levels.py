"""A picture of shares between 0 and 1 as some kilobytes, for a database row: 8 bits a pixel, deflated."""

import numpy as np
from numpy.typing import NDArray

from datasets.deflated import deflated, inflated
from datasets.errors import RejectedInput

Levels = NDArray[np.uint8]
"""Shares in steps of 1/255."""

MOST_LEVEL = 255

_LEAST = 0.05
"""A smaller share is kept as 0: nobody looks at it, and such noise would be most of the bytes."""


def levels_of(shares: NDArray[np.floating]) -> Levels:
    """Shares in steps of 1/255; what is below 0.05, and what is no number, is 0.

    Args:
        shares: Any shape; what lies outside 0 to 1 is brought to the nearer end.
    """
    known = np.nan_to_num(np.asarray(shares, dtype=np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    kept = np.where(known < _LEAST, np.float32(0.0), np.minimum(known, np.float32(1.0)))
    return np.rint(kept * MOST_LEVEL).astype(np.uint8)


def packed_levels(levels: Levels) -> bytes:
    """A picture of levels (height, width), row by row, deflated."""
    return deflated(np.ascontiguousarray(levels).tobytes())


def unpacked_levels(content: bytes, shape: tuple[int, int]) -> Levels:
    """The levels (height, width) behind `packed_levels`.

    Raises:
        RejectedInput: The bytes are damaged, or are those of another size (``packed-levels``).
    """
    found = inflated(content, shape[0] * shape[1])
    if found is None:
        raise RejectedInput(
            "packed-levels",
            f"The stored bytes are not the packed picture of {shape[0]} x {shape[1]} pixels.",
            remedy="Restore the database from its backup.",
        )
    return np.frombuffer(found, np.uint8).reshape(shape)
