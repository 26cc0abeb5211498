"""Recognises a compressed picture by its first bytes: compression and size, without decoding it.

Source: ITU-T T.81 B.2.2 (JPEG frame header), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000 SIZ), DICOM PS3.5 G.5 (RLE).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)


class Kind(StrEnum):
    """How a picture is compressed."""

    JPEG_BASELINE = "JPEG baseline"
    JPEG_EXTENDED = "JPEG extended"
    JPEG_LOSSLESS = "JPEG lossless"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    RLE = "RLE"


NATIVE_SYNTAXES = frozenset(
    {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
)
"""Transfer syntaxes whose pixels are plain numbers."""

KINDS: Mapping[str, frozenset[Kind]] = MappingProxyType(
    {
        JPEGBaseline8Bit: frozenset({Kind.JPEG_BASELINE}),
        JPEGExtended12Bit: frozenset({Kind.JPEG_BASELINE, Kind.JPEG_EXTENDED}),
        JPEGLossless: frozenset({Kind.JPEG_LOSSLESS}),
        JPEGLosslessSV1: frozenset({Kind.JPEG_LOSSLESS}),
        JPEGLSLossless: frozenset({Kind.JPEG_LS}),
        JPEGLSNearLossless: frozenset({Kind.JPEG_LS}),
        JPEG2000Lossless: frozenset({Kind.JPEG_2000}),
        JPEG2000: frozenset({Kind.JPEG_2000}),
        RLELossless: frozenset({Kind.RLE}),
    }
)
"""Transfer syntaxes with compressed pixels that can be decoded, and the compressions that each allows."""

_JPEG_START = b"\xff\xd8"
_JPEG_2000_START = b"\xff\x4f\xff\x51"
_JPEG_2000_BOX = b"\0\0\0\x0cjP"
_FRAMES = {
    0xC0: Kind.JPEG_BASELINE,
    0xC1: Kind.JPEG_EXTENDED,
    0xC2: Kind.JPEG_EXTENDED,
    0xC3: Kind.JPEG_LOSSLESS,
    0xF7: Kind.JPEG_LS,
}
_MOST_SEGMENTS = 15


@dataclass(frozen=True)
class Codestream:
    """A compressed picture by its own header.

    Args:
        kind: How it is compressed.
        size: Columns and rows; None where the first bytes do not say.
        depth: Bits of a sample; None where the first bytes do not say.
    """

    kind: Kind
    size: tuple[int, int] | None = None
    depth: int | None = None


def recognise(beginning: bytes) -> Codestream | None:
    """The kind and size of a compressed picture from its first bytes; None for an unknown kind."""
    if beginning.startswith(_JPEG_START):
        return _jpeg(beginning)
    if beginning.startswith(_JPEG_2000_START) and len(beginning) >= 24:
        right, bottom, left, top = struct.unpack_from(">4L", beginning, 8)
        depth = (beginning[42] & 0x7F) + 1 if len(beginning) > 42 else None  # of the first component
        return Codestream(Kind.JPEG_2000, (right - left, bottom - top), depth)
    if beginning.startswith(_JPEG_2000_BOX):
        return Codestream(Kind.JPEG_2000)
    if len(beginning) >= 64 and 1 <= struct.unpack_from("<L", beginning)[0] <= _MOST_SEGMENTS:
        return Codestream(Kind.RLE) if struct.unpack_from("<L", beginning, 4)[0] == 64 else None
    return None


def _jpeg(beginning: bytes) -> Codestream | None:
    """Follows the markers to the frame header."""
    position = len(_JPEG_START)
    while position + 9 <= len(beginning) and beginning[position] == 0xFF:
        marker, length = beginning[position + 1], struct.unpack_from(">H", beginning, position + 2)[0]
        if marker in _FRAMES:
            depth, rows, columns = struct.unpack_from(">B2H", beginning, position + 4)
            return Codestream(_FRAMES[marker], (columns, rows), depth)
        position += 1 if marker == 0xFF else 2 + length
    return None
