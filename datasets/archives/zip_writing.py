"""A ZIP archive that is never written: every byte of it is known beforehand, so any part can be sent at once.

Files are stored as they are (they are compressed already), so that sizes and checksums decide all that lies between
them. The form is APPNOTE.TXT 6.3.10 of PKWARE, with the 64-bit fields (4.5.3) where a file or the archive is larger
than 4 GB. `zipstream-ng` and `stream-zip` write such archives forwards only, from the first byte to the last.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from datasets.errors import ProgramFault

PORTION_BYTES = 1 << 20
"""Of a file in memory at once, whatever its size."""

MOST_ENDING_BYTES = 98
"""What stands behind the last file's line in the directory, at most."""

_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_LIMIT_32, _LIMIT_16 = 0xFFFFFFFF, 0xFFFF
_MADE_BY_UNIX, _VERSION, _VERSION_64 = 3, 20, 45
_UTF_8 = 0x800
_ORDINARY_FILE = 0o100644 << 16
_DATE, _TIME = (1 << 5) | 1, 0
"""1 January 1980, the earliest that there is: the same files give the same bytes."""


@dataclass(frozen=True)
class ArchivedFile:
    """One file of an archive, with its name in it.

    Args:
        source: Where its bytes are, or the bytes.
        name: Its name in the archive, with forward slashes.
        size: Bytes.
        crc32: Checksum of its bytes; 0 while only sizes are asked for.
    """

    source: Path | bytes
    name: str
    size: int
    crc32: int = 0

    @property
    def most_bytes(self) -> int:
        """No fewer than it takes of an archive, its two headers included, wherever it lies."""
        return len(_local_header(self)) + self.size + len(_central_entry(self, zipfile.ZIP64_LIMIT + 1))

    def with_checksum(self) -> "ArchivedFile":
        """The same with the checksum of its bytes as they are now."""
        crc = 0
        for portion in _portions(self.source, 0, self.size):
            crc = zlib.crc32(portion, crc)
        return replace(self, crc32=crc)


@dataclass(frozen=True)
class _Piece:
    """Bytes of the archive that lie together: made up by us, or a file's."""

    start: int
    size: int
    content: bytes | ArchivedFile


class Archive:
    """Sources of all bytes of an archive."""

    def __init__(self, files: Sequence[ArchivedFile]) -> None:
        self._pieces: list[_Piece] = []
        self.size = 0
        directory = []
        for file in files:
            directory.append(_central_entry(file, self.size))
            self._add(_local_header(file))
            self._add(file)
        self._add(b"".join(directory))
        self._add(_ending(len(files), sum(map(len, directory)), self.size))

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`, in portions.

        Raises:
            ProgramFault: A file was changed meanwhile, so that the bytes sent are no whole archive.
        """
        for piece in self._pieces:
            first, last = max(start - piece.start, 0), min(stop - piece.start, piece.size)
            if first >= last:
                continue
            if isinstance(piece.content, bytes):
                yield piece.content[first:last]
            else:
                yield from _read(piece.content, first, last)

    def _add(self, content: bytes | ArchivedFile) -> None:
        size = len(content) if isinstance(content, bytes) else content.size
        self._pieces.append(_Piece(self.size, size, content))
        self.size += size


def _read(file: ArchivedFile, first: int, last: int) -> Iterator[bytes]:
    """A part of a file; of a whole one the last portion is held back until its checksum is known to be right."""
    is_whole, crc, held, count = (first, last) == (0, file.size), 0, b"", 0
    for portion in _portions(file.source, first, last):
        if held:
            yield held
        held, crc, count = portion, zlib.crc32(portion, crc), count + len(portion)
    if count < last - first or (is_whole and crc != file.crc32):
        raise _changed(file)
    yield held


def _portions(source: Path | bytes, first: int, last: int) -> Iterator[bytes]:
    """The bytes from `first` up to `last`, or to the end where there are fewer."""
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        stream.seek(first)
        for at in range(first, last, PORTION_BYTES):
            yield stream.read(min(PORTION_BYTES, last - at))


def _changed(file: ArchivedFile) -> ProgramFault:
    return ProgramFault(
        "release-changed",
        f"{file.name} was changed while it was packed.",
        remedy="Verify the release; run `check_data`.",
    )


def _local_header(file: ArchivedFile) -> bytes:
    info = zipfile.ZipInfo(file.name)
    info.file_size = info.compress_size = file.size
    info.CRC = file.crc32
    info.create_system = _MADE_BY_UNIX
    return info.FileHeader()


def _central_entry(file: ArchivedFile, offset: int) -> bytes:
    """The file's line in the directory; what is too large for its place stands behind the name (4.5.3)."""
    name = file.name.encode()
    is_large, is_far = file.size > zipfile.ZIP64_LIMIT, offset > zipfile.ZIP64_LIMIT
    large = [file.size, file.size] * is_large + [offset] * is_far
    extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    version = _VERSION_64 if large else _VERSION
    size = _LIMIT_32 if is_large else file.size
    flags = 0 if file.name.isascii() else _UTF_8
    head = _CENTRAL.pack(
        *(b"PK\1\2", version, _MADE_BY_UNIX, version, 0, flags, zipfile.ZIP_STORED, _TIME, _DATE),
        *(file.crc32, size, size, len(name), len(extra), 0, 0, 0),
        *(_ORDINARY_FILE, _LIMIT_32 if is_far else offset),
    )
    return head + name + extra


def _ending(count: int, size: int, end: int) -> bytes:
    """The end records behind the directory, which is `size` long and ends at `end`."""
    start = end - size
    short = _END.pack(
        *(b"PK\5\6", 0, 0, min(count, _LIMIT_16), min(count, _LIMIT_16)),
        *(min(size, _LIMIT_32), min(start, _LIMIT_32), 0),
    )
    if count < _LIMIT_16 and end <= zipfile.ZIP64_LIMIT:
        return short
    long = _END_64.pack(b"PK\6\6", 44, _VERSION_64, _VERSION_64, 0, 0, count, count, size, start)
    return long + _LOCATOR_64.pack(b"PK\6\7", 0, end, 1) + short
