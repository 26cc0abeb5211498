"""Writes archives into a folder with a README and their digests, whole or not at all; what is whole stays after a kill.

An archive is written once, from the release's own files, and read back. SHA256SUMS grows with each.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from datasets.archives.zip_writing import Archive, ArchivedFile
from datasets.errors import RejectedInput, TryAgain
from datasets.files import is_unchanged, sha256_of_bytes, write_bytes
from datasets.part_folder import kept_part_folder, place_part
from datasets.progress import Progress, RunningTotal
from datasets.release.archives.parts import Part, archive_names
from datasets.release.paths import SUMS_NAME
from datasets.release.stores.filling import DIGITS_OF_DIGEST
from datasets.release.stores.refusals import full, named_system_errors

README_NAME = "README.txt"
_SUMS_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._-]+)\n")


@dataclass(frozen=True)
class WrittenArchive:
    """An archive in its folder.

    Args:
        name: Its file's.
        bytes: Its size.
        sha256: Of its bytes.
    """

    name: str
    bytes: int
    sha256: str


def write_archives(
    out: Path, title: str, parts: Sequence[Part], *, readme: str, digest: str, progress: Progress
) -> tuple[WrittenArchive, ...]:
    """Writes archives, their README and their digests into a new folder.

    Args:
        out: The folder, which is not there yet.
        title: What the archives are called.
        parts: The files of each, without their checksums.
        readme: The text beside them.
        digest: Of what they hold: a run that was killed is gone on with by the same alone.
        progress: Called with bytes done and to do.

    Raises:
        RejectedInput: Something lies there (``pack-exists``).
        TryAgain: Another run is at it (``pack-in-work``), or there is no room (``store-full``).
        ProgramFault: A file of the release was changed meanwhile.
    """
    if os.path.lexists(out):
        raise _exists()
    names = dict(zip(archive_names(title, len(parts)), parts, strict=True))
    with named_system_errors():
        try:
            with kept_part_folder(out.absolute().parent, f"{out.name}-{_work(digest, names)}") as folder:
                written = _written(folder, names, progress)
                write_bytes(folder / README_NAME, readme.encode())
                _place(folder, out.absolute())
        except (BlockingIOError, FileNotFoundError) as error:
            raise TryAgain(
                "pack-in-work", "Another run is writing these very archives.", remedy="Wait until it is done."
            ) from error
    return written


def _work(digest: str, names: Mapping[str, Part]) -> str:
    """A word for what is packed and how it is divided, by which a run finds what an earlier one left."""
    told = [digest]
    for name, part in names.items():
        told.append(name)
        told += [f"{file.name} {file.size} {_digest_of_text(file)}" for file in part]
    return sha256_of_bytes("\n".join(told).encode())[:DIGITS_OF_DIGEST]


def _digest_of_text(file: ArchivedFile) -> str:
    return sha256_of_bytes(file.source) if isinstance(file.source, bytes) else ""


def _place(folder: Path, out: Path) -> None:
    try:
        place_part(folder, out)
    except OSError as error:  # somebody may have come first
        if folder.exists() and os.path.lexists(out):
            raise _exists() from error
        raise


def _written(folder: Path, names: Mapping[str, Part], progress: Progress) -> tuple[WrittenArchive, ...]:
    sizes = {name: Archive(part).size for name, part in names.items()}
    kept = _kept(folder, sizes)
    total, done = sum(sizes.values()), sum(each.bytes for each in kept.values())
    if shutil.disk_usage(folder).free < total - done:
        raise full()
    count = RunningTotal(done, total, progress)
    written: list[WrittenArchive] = []
    for name, part in names.items():
        written.append(kept.get(name) or _write(folder / name, part, count))
        write_bytes(folder / SUMS_NAME, _sums(written))  # what the next run goes on from
    return tuple(written)


def _kept(folder: Path, sizes: Mapping[str, int]) -> dict[str, WrittenArchive]:
    """The archives that an earlier run finished; all else is taken away."""
    sums = folder / SUMS_NAME
    lines = _SUMS_LINE.findall(sums.read_text(encoding="utf-8")) if sums.is_file() else []
    kept = {
        name: WrittenArchive(name, sizes[name], digest)
        for digest, name in lines
        if name in sizes and is_unchanged(folder / name, sha256=digest)
    }
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    return kept


def _write(path: Path, part: Part, count: RunningTotal) -> WrittenArchive:
    archive, digest = Archive([file.with_checksum() for file in part]), sha256()
    with path.open("xb") as stream:
        for portion in archive.read(0, archive.size):
            stream.write(portion)
            digest.update(portion)
            count.add(len(portion))
        stream.flush()
        os.fsync(stream.fileno())
    if not is_unchanged(path, sha256=digest.hexdigest()):
        raise TryAgain(
            "pack-unsound", f"{path.name} was not written as it was sent.", remedy="Check the disk, and run it again."
        )
    return WrittenArchive(path.name, archive.size, digest.hexdigest())


def _sums(written: Sequence[WrittenArchive]) -> bytes:
    return "".join(f"{each.sha256}  {each.name}\n" for each in written).encode()


def _exists() -> RejectedInput:
    return RejectedInput(
        "pack-exists", "Something lies at the place of the archives.", remedy="Name a folder that is not there yet."
    )
