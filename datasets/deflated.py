"""Bytes of a known size, deflated for a database row, and read back without trusting them."""

import zlib

_LEVEL = 1
"""Pictures are long runs: higher levels take three times as long for a tenth less."""


def deflated(content: bytes) -> bytes:
    """The bytes, deflated."""
    return zlib.compress(content, _LEVEL)


def inflated(content: bytes, size: int) -> bytes | None:
    """The `size` bytes behind `deflated`; None where they are damaged or of another size. Never makes more of them."""
    try:
        found = zlib.decompressobj().decompress(bytes(content), size + 1)
    except zlib.error:
        return None
    return found if len(found) == size else None
