"""Strips compressed pixel data of data hidden beside the picture: comments and programs' own segments inside the
codestream, bytes behind its end, and fragments that belong to no picture.

The codestream's own segments are copied as they are, so the picture decodes to the same values.

Source: ITU-T T.81 B.1 (JPEG markers), T.87 C.1 (JPEG-LS), T.800 A.2 and A.4 (JPEG 2000), DICOM PS3.5 A.4 and G (RLE).
"""

import struct

from pydicom.encaps import encapsulate, generate_frames

from datasets.dicom.codestream import KINDS, Kind
from datasets.errors import RejectedInput

_JPEG_NEEDED = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD, 0xF7, 0xF8})
"""Frame headers, JPEG-LS's among them, tables, restarts and parameters; no comments and no programs' own segments."""

_RESTARTS = range(0xD0, 0xD8)
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FIRST_MARKER = 0x80
_J2K_COMMENT, _J2K_TILE, _J2K_DATA, _J2K_END = 0xFF64, 0xFF90, 0xFF93, 0xFFD9
_RLE_HEADER_BYTES = 64
_RLE_SEGMENTS = 15


def bare_compressed(content: bytes, syntax: str, *, frames: int, pixels: int) -> bytes:
    """Encapsulated pixel data of the same pictures with nothing else in it.

    Args:
        content: The value of Pixel Data.
        syntax: UID of the transfer syntax.
        frames: Number of pictures.
        pixels: Rows times columns of a picture.

    Raises:
        RejectedInput: The coding is not known here, or the pictures are not as it says (``pixels-not-clean``).
    """
    kinds = KINDS.get(syntax, frozenset())
    try:
        pictures = list(generate_frames(content, number_of_frames=frames))
        if not kinds or len(pictures) != frames:
            raise _NOT_CLEAN
        if Kind.RLE in kinds:
            return encapsulate([_bare_rle(picture, pixels) for picture in pictures])
        bare = _bare_jpeg_2000 if Kind.JPEG_2000 in kinds else _bare_jpeg
        return encapsulate([bare(picture) for picture in pictures])
    except (ValueError, IndexError, struct.error):
        raise _NOT_CLEAN from None


def _bare_jpeg(picture: bytes) -> bytes:
    if picture[:2] != bytes([0xFF, _START]):
        raise _NOT_CLEAN
    bare, place = bytearray(picture[:2]), 2
    while True:
        marker = _marker(picture, place)
        if marker == _END:
            return bytes(bare) + bytes([0xFF, _END])
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        end = place + 2 + struct.unpack_from(">H", picture, place + 2)[0]
        if marker == _SCAN:
            end = _end_of_scan(picture, end)
        if marker == _SCAN or marker in _JPEG_NEEDED:
            bare += picture[place:end]
        place = end


def _marker(picture: bytes, place: int) -> int:
    if picture[place] != 0xFF:
        raise _NOT_CLEAN
    return picture[place + 1]


def _end_of_scan(picture: bytes, place: int) -> int:
    """Where the next marker stands that is no restart; inside a scan 0xFF is followed by less than 0x80."""
    while True:
        place = picture.index(b"\xff", place)
        if picture[place + 1] >= _FIRST_MARKER and picture[place + 1] not in _RESTARTS:
            return place
        place += 2


def _bare_jpeg_2000(picture: bytes) -> bytes:
    if picture[:4] != b"\xff\x4f\xff\x51":  # boxes around a codestream are not DICOM
        raise _NOT_CLEAN
    header, place = bytearray(picture[:2]), 2
    while (marker := struct.unpack_from(">H", picture, place)[0]) != _J2K_TILE:
        end = place + 2 + struct.unpack_from(">H", picture, place + 2)[0]
        if marker != _J2K_COMMENT:
            header += picture[place:end]
        place = end
    start = place
    while (marker := struct.unpack_from(">H", picture, place)[0]) == _J2K_TILE:
        place = _end_of_tile(picture, place)
    if marker != _J2K_END:
        raise _NOT_CLEAN
    return bytes(header) + picture[start : place + 2]


def _end_of_tile(picture: bytes, start: int) -> int:
    """Where a tile part ends; one with a comment in its own header is refused, as its length would change."""
    length = struct.unpack_from(">L", picture, start + 6)[0]
    place = start + 12
    while (marker := struct.unpack_from(">H", picture, place)[0]) != _J2K_DATA:
        if marker == _J2K_COMMENT:
            raise _NOT_CLEAN
        place += 2 + struct.unpack_from(">H", picture, place + 2)[0]
    if length == 0:  # the last tile part reaches to the end of the codestream
        return picture.index(b"\xff\xd9", place)
    if start + length < place + 2:
        raise _NOT_CLEAN
    return start + length


def _bare_rle(picture: bytes, pixels: int) -> bytes:
    count, *offsets = struct.unpack_from("<16L", picture)
    if not 1 <= count <= _RLE_SEGMENTS:
        raise _NOT_CLEAN
    segments = [_bare_segment(picture, offset, pixels) for offset in offsets[:count]]
    starts, place = [], _RLE_HEADER_BYTES
    for segment in segments:
        starts.append(place)
        place += len(segment)
    return struct.pack("<16L", count, *starts, *[0] * (_RLE_SEGMENTS - count)) + b"".join(segments)


def _bare_segment(picture: bytes, start: int, pixels: int) -> bytes:
    """The runs that make `pixels` bytes, and no byte more but for an even length."""
    bare, place, made = bytearray(), start, 0
    while made < pixels:
        control = picture[place]
        literal = control < 128
        end = place + (control + 2 if literal else 2)
        if control != 128:
            made += control + 1 if literal else 257 - control
            bare += picture[place:end]
        place = end if control != 128 else place + 1
    if made != pixels or place > len(picture):
        raise _NOT_CLEAN
    return bytes(bare) + b"\0" * (len(bare) % 2)


_NOT_CLEAN = RejectedInput(
    "pixels-not-clean",
    "The compressed pictures are of an unknown coding, or something lies beside them.",
    remedy="Export the object again as Explicit VR Little Endian.",
)
