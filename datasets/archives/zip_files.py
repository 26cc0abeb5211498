"""ZIP archives, entry by entry.

Python's `zipfile` reads the list of entries whole and trusts what it says; so the list is counted before, and what it
says of sizes, places and kinds is checked.

Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (list of entries), 4.3.14 to 4.3.16 (its end).
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import BinaryIO

from datasets.archives.budget import ArchiveBudget, damaged, require_entries
from datasets.errors import RejectedInput

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")

_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_LONG_PLACE = struct.Struct("<4sLQL")
_LONG_END = struct.Struct("<4sQ2H2L4Q")
_LISTED = struct.Struct("<4s24x3H12x")
_LISTED_MAGIC = b"PK\x01\x02"
_LOCAL_BYTES = 30
_MOST_COMMENT = 1 << 16
_ENCRYPTED = 0x1 | 0x40 | 0x2000


def opened_zip(stream: BinaryIO, budget: ArchiveBudget) -> zipfile.ZipFile:
    """A ZIP whose list of entries is not longer than allowed, and whose entries do not lie over each other.

    Raises:
        RejectedInput: ``archive-entries``, ``archive-overlap`` or ``archive-damaged``.
    """
    _count_entries(stream, budget)
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError) as error:
        raise damaged("its list of files cannot be read") from error
    _require_apart(archive.infolist())
    return archive


def require_plain_entry(entry: zipfile.ZipInfo, number: int) -> None:
    """Refuses links, devices, encrypted entries and unusual ways of compressing.

    Raises:
        RejectedInput: ``archive-link``, ``archive-encrypted`` or ``archive-compression``.
    """
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise link(number)
    if entry.flag_bits & _ENCRYPTED:
        raise RejectedInput(
            "archive-encrypted",
            f"Entry {number} of the archive is encrypted.",
            remedy="Unpack it yourself with its password, and give the folder.",
        )
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RejectedInput(
            "archive-compression",
            f"Entry {number} of the archive is compressed in another way than deflate.",
            remedy="Unpack it yourself, and give the folder.",
        )


def pieces_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, piece_bytes: int) -> Iterator[bytes]:
    """The bytes of an entry in pieces; as many as it declares, and by its checksum the right ones.

    Raises:
        RejectedInput: ``archive-damaged``.
    """
    count = 0
    try:
        with archive.open(entry) as source:
            while piece := source.read(piece_bytes):
                count += len(piece)
                yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise damaged("a file in it is not whole") from error
    if count != entry.file_size:
        raise damaged("a file in it has another size than it declares")


def link(number: int) -> RejectedInput:
    """The refusal of a link, a pipe or a device in an archive (``archive-link``)."""
    return RejectedInput(
        "archive-link",
        f"Entry {number} of the archive is a link, a pipe or a device, not a file.",
        remedy="Unpack it yourself, put the files themselves in their places, and give the folder.",
    )


def _require_apart(entries: Sequence[zipfile.ZipInfo]) -> None:
    """Refuses entries that share bytes, by which a small archive unpacks into any number of large files.

    Source: Fifield 2019, A better zip bomb, 13th USENIX Workshop on Offensive Technologies.
    """
    by_place = sorted(entries, key=lambda entry: entry.header_offset)
    for one, following in pairwise(by_place):
        name_bytes = len(one.orig_filename)  # at least, whatever its encoding
        end = one.header_offset + _LOCAL_BYTES + name_bytes + one.compress_size
        if end > following.header_offset:
            raise RejectedInput(
                "archive-overlap",
                "Files in the archive lie over each other.",
                remedy="Do not use this archive; tell its publisher.",
            )


def _count_entries(stream: BinaryIO, budget: ArchiveBudget) -> None:
    """Counts the entries of the list, whatever the archive says how many there are."""
    place, size = _list_of_entries(stream)
    if size > budget.header_bytes:
        require_entries(budget.entries + 1, budget)
    stream.seek(place)
    listed = stream.read(size)
    at = count = 0
    while at + _LISTED.size <= len(listed):
        magic, *lengths = _LISTED.unpack_from(listed, at)
        if magic != _LISTED_MAGIC:
            break
        at += _LISTED.size + sum(lengths)
        count += 1
        require_entries(count, budget)
    stream.seek(0)


def _list_of_entries(stream: BinaryIO) -> tuple[int, int]:
    """Where the list of entries begins, and its size, by the end of the archive."""
    whole = stream.seek(0, 2)
    start = max(0, whole - _MOST_COMMENT - _END.size)
    stream.seek(start)
    tail = stream.read()
    found = tail.rfind(_END_MAGIC)
    if found < 0 or found + _END.size > len(tail):
        raise damaged("its end is missing")
    end = start + found
    size = _END.unpack_from(tail, found)[5]
    if end >= _LONG_PLACE.size + _LONG_END.size:
        stream.seek(end - _LONG_PLACE.size - _LONG_END.size)
        long_end = stream.read(_LONG_END.size)
        if long_end.startswith(b"PK\x06\x06") and stream.read(4) == b"PK\x06\x07":
            size = _LONG_END.unpack(long_end)[8]
            end -= _LONG_PLACE.size + _LONG_END.size
    return max(0, end - size), min(size, end)
