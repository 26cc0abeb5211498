"""Unpacks a ZIP or tar archive into an empty folder."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from datasets.archives import tar_files, zip_files
from datasets.archives.budget import DEFAULT_ARCHIVE_BUDGET, ArchiveBudget, Room
from datasets.archives.entry_names import EntryNames
from datasets.archives.tar_files import GZIP_START, is_tar_start, opened_tar
from datasets.archives.zip_files import ZIP_STARTS, opened_zip, require_plain_entry
from datasets.errors import RejectedInput
from datasets.gate import Budget, opened, size_of
from datasets.progress import Progress

_PIECE_BYTES = 1 << 20
_HEAD_BYTES = 512
_FILE_BUDGET = Budget(file_bytes=1 << 42)


def unpack(
    path: Path,
    folder: Path,
    *,
    budget: ArchiveBudget = DEFAULT_ARCHIVE_BUDGET,
    progress: Progress | None = None,
) -> int:
    """Unpacks an archive; archives inside it stay as they are.

    Files are written as they come and not waited for: a folder of a run that was killed is thrown away whole.

    Args:
        path: A ZIP file, or a tar file, plain or in gzip, whatever its name.
        folder: An empty folder.
        budget: What it may cost beside the room on the disk.
        progress: Called with (files written, files); of a tar archive with (bytes read, bytes).

    Returns:
        How many files were written; names that start with a dot, and what macOS packs along, are left out.

    Raises:
        RejectedInput: ``archive-kind``, or what `EntryNames.place`, `Room.take`, `opened_zip`, `require_plain_entry`,
            `entries_of` and `pieces_of` of either format, and `datasets.gate.opened` refuse.
        OSError: The archive cannot be read, or the disk fails.
    """
    with opened(path, budget=_FILE_BUDGET) as stream:
        head = stream.read(_HEAD_BYTES)
        stream.seek(0)
        if head.startswith(ZIP_STARTS):
            return _unpack_zip(stream, folder, budget, progress)
        if head.startswith(GZIP_START) or is_tar_start(head):
            return _unpack_tar(stream, folder, budget, progress)
    raise RejectedInput(
        "archive-kind",
        "The file is neither a folder nor a ZIP, tar or tar.gz archive.",
        remedy="Unpack it yourself, and give the folder.",
    )


def _unpack_zip(stream: BinaryIO, folder: Path, budget: ArchiveBudget, progress: Progress | None) -> int:
    archive = opened_zip(stream, budget)
    names, room = EntryNames(), Room(folder, budget)
    placed = []
    for number, entry in enumerate(archive.infolist(), start=1):  # all are looked at before anything is written
        place = names.place(entry.orig_filename, is_folder=entry.is_dir())
        require_plain_entry(entry, number)
        room.take(entry.file_size, compressed=entry.compress_size)
        if place and not entry.is_dir():
            placed.append((entry, place))
    for done, (entry, place) in enumerate(placed, start=1):
        _write(folder / place, zip_files.pieces_of(archive, entry, _PIECE_BYTES))
        if progress is not None:
            progress(done, len(placed))
    return len(placed)


def _unpack_tar(stream: BinaryIO, folder: Path, budget: ArchiveBudget, progress: Progress | None) -> int:
    archive = opened_tar(stream, budget)
    names, room, written, size = EntryNames(), Room(folder, budget), 0, size_of(stream)
    for entry in tar_files.entries_of(archive):
        place = names.place(entry.name, is_folder=entry.isdir())
        room.take(entry.size)
        if place and not entry.isdir():
            _write(folder / place, tar_files.pieces_of(archive, entry, _PIECE_BYTES))
            written += 1
            if progress is not None:
                progress(min(stream.tell(), size - 1), size)
    if progress is not None:
        progress(size, size)
    return written


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as target:
        target.writelines(pieces)
