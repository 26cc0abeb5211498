"""What a file of a release holds: a gzip to its checksum, an image to its last voxel; in pieces of bounded size."""

import hashlib
import math
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from datasets.inflating import Bytes
from datasets.release.verification.image_start import HEADER_BYTES, ImageStart, Rows, Sizes, read_start, unsound

_INFLATED_AT_ONCE = 1 << 18
"""A multiple of every voxel's size."""

_MOST_PADDING = 1 << 20
"""Zeros behind the voxels that are no fault: some writers pad to a block."""

_MOST_VALUES = 256
_WHOLE = 1e-3
"""How far a stored label may lie from a whole number: what scaling in float32 loses."""


class Kind(Enum):
    """What a file of a release is read for."""

    PLAIN = "plain"
    GZIP = "gzip"
    IMAGE = "image"
    MASK = "mask"


@dataclass(frozen=True)
class Facts:
    """What is known of an image or a mask that is whole.

    Args:
        shape: Voxels along i, j, k.
        rows: Where they lie.
        voxels: SHA-256 of the voxels as stored.
        values: The labels that a mask holds, sorted; None for an image.
    """

    shape: Sizes
    rows: Rows
    voxels: str
    values: tuple[int, ...] | None = None


def read_gzip(source: Bytes) -> None:
    """Reads to the end, where the checksum is."""
    while source.read(_INFLATED_AT_ONCE):
        pass


def read_image(source: Bytes, shape: Sizes, *, is_mask: bool) -> Facts:
    """Reads an image or a mask.

    Args:
        source: The file's bytes from the first on, inflated.
        shape: Voxels that the manifest says; an image with others is not read any further, whatever it inflates to.
        is_mask: Whether its values are wanted.

    Raises:
        RejectedInput: What `read_start` refuses, ``grid-mismatch``, ``nifti-truncated``, ``nifti-trailing`` or
            ``mask-labels``.
    """
    start = read_start(source.read(HEADER_BYTES))
    require_shape(shape, start.shape)
    for _ in _pieces(source, start.offset - HEADER_BYTES):
        pass
    digest, values = hashlib.sha256(), set[float]()
    for piece in _pieces(source, math.prod(start.shape) * start.voxel_bytes):
        digest.update(piece)
        if is_mask:
            _add_values(values, piece, start)
    rest = source.read(_MOST_PADDING + 1)
    if len(rest) > _MOST_PADDING or rest.strip(b"\0"):
        raise unsound("nifti-trailing", "The file goes on behind its voxels.")
    return Facts(start.shape, start.rows, digest.hexdigest(), _labels(values, start) if is_mask else None)


def require_shape(expected: Sizes, found: Sizes) -> None:
    """Refuses an image of another size than the manifest says.

    Raises:
        RejectedInput: ``grid-mismatch``.
    """
    if expected != found:
        sizes = [" x ".join(map(str, each)) for each in (expected, found)]
        raise unsound("grid-mismatch", f"Expected {sizes[0]} voxels, as the manifest says, got {sizes[1]}.")


def _pieces(source: Bytes, count: int) -> Iterator[bytes]:
    """The next `count` bytes.

    Raises:
        RejectedInput: There are fewer (``nifti-truncated``).
    """
    while count > 0:
        wanted = min(_INFLATED_AT_ONCE, count)
        piece = source.read(wanted)
        if len(piece) < wanted:
            raise unsound("nifti-truncated", f"The image ends {count - len(piece)} bytes too early.")
        yield piece
        count -= wanted


def _add_values(found: set[float], piece: bytes, start: ImageStart) -> None:
    """Adds the values of some voxels; of single bytes all at once that are known already."""
    if start.letter == "B":
        piece = piece.translate(None, bytes(map(int, found)))
        while piece:
            found.add(piece[0])
            piece = piece.translate(None, piece[:1])
        return
    numbers = array(start.letter)
    numbers.frombytes(piece)
    if (start.order == "<") != (sys.byteorder == "little"):
        numbers.byteswap()
    found.update(numbers)
    if len(found) > _MOST_VALUES:
        raise unsound("mask-labels", f"The mask holds more than {_MOST_VALUES} values.")


def _labels(values: set[float], start: ImageStart) -> tuple[int, ...]:
    slope, intercept = start.scaling
    scaled = [value * slope + intercept for value in values]
    if not all(math.isfinite(value) and abs(value - round(value)) <= _WHOLE for value in scaled):
        raise unsound("mask-labels", "The mask holds values that are no whole numbers.")
    return tuple(sorted({round(value) for value in scaled}))
