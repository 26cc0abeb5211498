"""Tar archives, plain or in gzip, entry by entry from beginning to end: nothing is sought and nothing read twice."""

import tarfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from datasets.archives.budget import ArchiveBudget, damaged
from datasets.archives.zip_files import link
from datasets.errors import RejectedInput
from datasets.gate import Budget, Inflated, size_of

GZIP_START = b"\x1f\x8b"

_MAGIC, _MAGIC_PLACE = b"ustar", 257
_LONG_NAMES = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_MOST_LONG_NAME = 1 << 20
_MOST_UNPACKED = 1 << 42
"""The room on the disk is the limit that counts; this one only has to be finite."""

_PIECE_BYTES = 1 << 20
_TOO_SHORT = "it ends before its last file does, or an entry's header is broken"


def is_tar_start(head: bytes) -> bool:
    """Whether the first block of a file is that of a tar archive."""
    return head[_MAGIC_PLACE : _MAGIC_PLACE + len(_MAGIC)] == _MAGIC


class Tar(tarfile.TarFile):
    """A tar archive that knows whether its end was seen; `tarfile` takes any broken header for the end."""

    is_ended = False


def opened_tar(stream: BinaryIO, budget: ArchiveBudget) -> Tar:
    """A tar archive for reading from beginning to end.

    Raises:
        RejectedInput: ``archive-damaged``; while it is read also what `Inflated` refuses.
    """
    is_gzip = stream.read(len(GZIP_START)) == GZIP_START
    stream.seek(0)
    limits = Budget(volume_bytes=_MOST_UNPACKED, ratio=budget.ratio, ratio_free_bytes=budget.ratio_free_bytes)
    source = Inflated(stream, is_gzip=True, compressed_bytes=size_of(stream), budget=limits) if is_gzip else stream
    try:
        return Tar.open(fileobj=cast(BinaryIO, source), mode="r|", tarinfo=_Entry)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise damaged("it does not begin as a tar archive does") from error


def entries_of(archive: Tar) -> Iterator[tarfile.TarInfo]:
    """Every file and folder, in order; the bytes of one have to be read before the next.

    Raises:
        RejectedInput: ``archive-link`` (also devices and pipes), ``archive-sparse``, ``archive-damaged``.
    """
    number = 0
    while (entry := _next(archive)) is not None:
        number += 1
        if not (entry.isreg() or entry.isdir()):
            raise link(number)
        if entry.issparse():
            raise RejectedInput(
                "archive-sparse",
                f"Entry {number} of the archive is a file with holes, whose size is no measure of what it holds.",
                remedy="Unpack it yourself, and give the folder.",
            )
        yield entry
    if not archive.is_ended:
        raise damaged(_TOO_SHORT)
    while archive.fileobj is not None and archive.fileobj.read(_PIECE_BYTES):
        pass  # what pads the end, so that gzip's checksum is reached and compared


def _next(archive: Tar) -> tarfile.TarInfo | None:
    try:
        entry = archive.next()
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise damaged(_TOO_SHORT) from error
    archive.members = []  # type: ignore[attr-defined]  # its list of all entries, which nobody needs
    return entry


def pieces_of(archive: tarfile.TarFile, entry: tarfile.TarInfo, piece_bytes: int) -> Iterator[bytes]:
    """The bytes of an entry in pieces.

    Raises:
        RejectedInput: ``archive-damaged``.
    """
    source = archive.extractfile(entry)
    count = 0
    try:
        while source is not None and (piece := source.read(piece_bytes)):
            count += len(piece)
            yield piece
    except (tarfile.TarError, EOFError) as error:
        raise damaged("a file in it is not whole") from error
    if count != entry.size:
        raise damaged("a file in it is not whole")


class _Entry(tarfile.TarInfo):
    """An entry whose long name is not read into memory before its length is looked at."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:  # type: ignore[override]
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            cast(Tar, archive).is_ended = True
            raise

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _LONG_NAMES and self.size > _MOST_LONG_NAME:
            raise damaged("the name of a file in it has more than a million letters")
        return super()._proc_member(archive)  # type: ignore[misc]  # tarfile's own hook
