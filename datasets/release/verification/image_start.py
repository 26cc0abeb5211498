"""The start of a NIfTI image: its sizes, the type of its voxels, and where they lie.

Source: NIfTI-1 data format, nifti1.h (2007-09-11).
"""

import math
import struct
from itertools import product
from typing import NamedTuple

from datasets.errors import RejectedInput
from datasets.formats.nifti_header import SFORM_QFORM_TOLERANCE_MM
from datasets.release.verification.fault import REMEDY

HEADER_BYTES = 352
"""Of a header and the four bytes behind it."""

_MOST_BEFORE_VOXELS = 16 << 20
"""Bytes from the start to the voxels: header extensions hold a few kilobytes."""

_VOXEL_TYPES = {2: "B", 4: "h", 8: "i", 16: "f", 64: "d", 256: "b", 512: "H", 768: "I", 1024: "q", 1280: "Q"}
"""NIfTI's number of each type of voxel, and `struct`'s letter for it."""

_MILLIMETRES = (0, 2)
"""NIfTI's numbers for an unknown unit of length, which are millimetres then, and for millimetres."""

Sizes = tuple[int, ...]

Rows = tuple[tuple[float, ...], ...]
"""The first three rows of an affine, voxel index to RAS+ millimetres."""


class ImageStart(NamedTuple):
    """What stands before an image's voxels.

    Args:
        shape: Voxels along i, j, k.
        rows: Where they lie.
        letter: `struct`'s letter for the type of a voxel.
        order: ``<`` or ``>``, the order of its bytes.
        offset: The byte at which they begin.
        scaling: Slope and intercept.
    """

    shape: Sizes
    rows: Rows
    letter: str
    order: str
    offset: int
    scaling: tuple[float, float]

    @property
    def voxel_bytes(self) -> int:
        """Bytes of one voxel."""
        return struct.calcsize(f"{self.order}{self.letter}")


def read_start(block: bytes) -> ImageStart:
    """Reads the first `HEADER_BYTES` of an image.

    Raises:
        RejectedInput: ``nifti-truncated``, ``nifti-unreadable``, ``nifti-pair``, ``nifti-not-3d``, ``nifti-type``,
            ``nifti-offset``, ``nifti-units``, ``nifti-no-orientation``, ``nifti-affine`` or ``nifti-two-places``.
    """
    if len(block) < HEADER_BYTES:
        raise unsound("nifti-truncated", f"Expected a header of {HEADER_BYTES} bytes, got {len(block)}.")
    order = "<" if struct.unpack_from("<i", block) == (348,) else ">"
    if struct.unpack_from(f"{order}i", block) != (348,):
        raise unsound("nifti-unreadable", "The file does not begin with a NIfTI header.")
    if block[344:348] != b"n+1\0":
        raise unsound("nifti-pair", "The header is of another kind of file, whose voxels lie in a second file.")
    [kind] = struct.unpack_from(f"{order}h", block, 70)
    if kind not in _VOXEL_TYPES:
        raise unsound("nifti-type", f"Expected integers or floats as voxels, got NIfTI's type {kind}.")
    shape = _shape(block, order)
    slope, intercept = struct.unpack_from(f"{order}2f", block, 112)
    scaling = (slope, intercept) if slope and math.isfinite(slope) else (1.0, 0.0)
    return ImageStart(shape, _rows(block, order, shape), _VOXEL_TYPES[kind], order, _offset(block, order), scaling)


def unsound(code: str, message: str) -> RejectedInput:
    """The refusal of an image in a release."""
    return RejectedInput(code, message, remedy=REMEDY)


def apart_mm(shape: Sizes, one: Rows, other: Rows) -> float:
    """How far apart two affines put a corner voxel, along x, y or z, in millimetres."""
    corners = list(product(*[(0, size - 1) for size in shape]))
    pairs = zip(one, other)  # noqa: B905  # Python 3.9
    return max(abs(_along(row, corner) - _along(same, corner)) for row, same in pairs for corner in corners)


def _shape(block: bytes, order: str) -> Sizes:
    count, *sizes = struct.unpack_from(f"{order}8h", block, 40)
    if not (3 <= count <= 7 and min(sizes[:3]) >= 1 and all(size == 1 for size in sizes[3:count])):
        raise unsound("nifti-not-3d", f"Expected one 3D volume, got {count} dimensions.")
    return tuple(sizes[:3])


def _offset(block: bytes, order: str) -> int:
    [offset] = struct.unpack_from(f"{order}f", block, 108)
    if not HEADER_BYTES <= offset <= _MOST_BEFORE_VOXELS or offset != int(offset):
        raise unsound("nifti-offset", f"Expected voxels from byte {HEADER_BYTES} on, got byte {offset:g}.")
    return int(offset)


def _rows(block: bytes, order: str, shape: Sizes) -> Rows:
    """The affine, by which both of the header's transforms put the voxels into the same place."""
    if block[123] & 7 not in _MILLIMETRES:
        raise unsound("nifti-units", "Expected millimetres, got another unit of length.")
    codes = struct.unpack_from(f"{order}2h", block, 252)
    found = [make(block, order) for code, make in zip(codes, (_qform, _sform)) if code > 0]  # noqa: B905  # Python 3.9
    if not found:
        raise unsound("nifti-no-orientation", "The header gives no orientation.")
    if not all(math.isfinite(value) for rows in found for row in rows for value in row) or _volume(found[-1]) < 1e-9:
        raise unsound("nifti-affine", "The affine is not finite, or flat.")
    distance = apart_mm(shape, found[0], found[-1])
    if distance > SFORM_QFORM_TOLERANCE_MM:
        message = f"The header's two transforms differ: sform and qform put a voxel {distance:.3g} mm apart."
        raise unsound("nifti-two-places", message)
    return found[-1]


def _sform(block: bytes, order: str) -> Rows:
    values = struct.unpack_from(f"{order}12f", block, 280)
    return tuple(values[at : at + 4] for at in (0, 4, 8))


def _qform(block: bytes, order: str) -> Rows:
    """The rotation of a quaternion whose first part is left out, with spacing and offset (nifti1.h, method 2)."""
    turn, *spacing = struct.unpack_from(f"{order}4f", block, 76)
    b, c, d, *offset = struct.unpack_from(f"{order}6f", block, 256)
    a = math.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
    i, j, k = spacing[0], spacing[1], spacing[2] * (-1 if turn == -1 else 1)
    return (
        ((a * a + b * b - c * c - d * d) * i, 2 * (b * c - a * d) * j, 2 * (b * d + a * c) * k, offset[0]),
        (2 * (b * c + a * d) * i, (a * a + c * c - b * b - d * d) * j, 2 * (c * d - a * b) * k, offset[1]),
        (2 * (b * d - a * c) * i, 2 * (c * d + a * b) * j, (a * a + d * d - b * b - c * c) * k, offset[2]),
    )


def _volume(rows: Rows) -> float:
    """Of a voxel in cubic millimetres."""
    (a, b, c, _), (d, e, f, _), (g, h, i, _) = rows
    return abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))


def _along(row: tuple[float, ...], corner: tuple[int, ...]) -> float:
    return row[0] * corner[0] + row[1] * corner[1] + row[2] * corner[2] + row[3]
