"""Whether a PNG file is whole by its own checksums: each chunk has a CRC-32 (PNG specification, section 5)."""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">I4s")
_CRC = struct.Struct(">I")
_LAST = b"IEND"


def is_whole_png(content: bytes) -> bool:
    """Whether every chunk's checksum is right and the last one ends the file; any one changed byte is seen.

    Args:
        content: The file's bytes.
    """
    if not content.startswith(_SIGNATURE):
        return False
    place = len(_SIGNATURE)
    while place + _HEAD.size <= len(content):
        length, name = _HEAD.unpack_from(content, place)
        end = place + _HEAD.size + length
        if end + _CRC.size > len(content):
            return False
        if zlib.crc32(content[place + 4 : end]) != _CRC.unpack_from(content, end)[0]:
            return False
        place = end + _CRC.size
        if name == _LAST:
            return place == len(content)
    return False
