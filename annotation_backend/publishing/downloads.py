"""What can be downloaded of a release: all of it, a part of a size that every disk takes, or what changed since.

None of these archives lies anywhere: each is worked out of the release's files while it is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotation_backend.publishing.contents.versions import versions_before
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.stored_release import checksums_of
from datasets.archives.zip_writing import Archive, ArchivedFile
from datasets.errors import RejectedInput
from datasets.release.archives.parts import Part, archive_names, split
from datasets.release.archives.patch import patch_files, planned_patch
from datasets.release.stores.folder_files import FolderFiles
from datasets.release.stores.lists import ReleaseLists, read_release_lists
from datasets.release.verification.tree import read_tree

PART_BYTES = 2_000_000_000
"""Largest part: below 2 GiB and 4 GiB, where old disks, tools and web servers end."""


@dataclass(frozen=True)
class Download:
    """A file that can be sent from any byte on.

    Args:
        name: What it is called.
        archive: Its bytes.
        etag: Names these bytes, with quotation marks.
    """

    name: str
    archive: Archive
    etag: str


@dataclass(frozen=True)
class OfferedPart:
    """A part as a page shows it: its number from 1, and its size in bytes."""

    number: int
    bytes: int


def whole_of(release: Release) -> Download:
    """All of a release in one archive.

    Raises:
        DamagedFile: Something of it is not as it was published.
    """
    archive = Archive(_with_checksums(_all_files(release), release))
    return Download(f"{release}.zip", archive, f'"{release.digest}"')


def offered_parts(release: Release) -> tuple[OfferedPart, ...]:
    """The parts of a release that is larger than one; none of a smaller one. Only sizes are looked at."""
    parts = _parts(release)
    if len(parts) < 2:
        return ()
    return tuple(OfferedPart(number, Archive(part).size) for number, part in enumerate(parts, start=1))


def part_of(release: Release, number: int) -> Download | None:
    """A part of a release by its number, from 1; None where there is no such part.

    Raises:
        DamagedFile: Something of the release is not as it was published.
    """
    parts = _parts(release)
    if not 1 <= number <= len(parts):
        return None
    archive = Archive(_with_checksums(parts[number - 1], release))
    return Download(archive_names(str(release), len(parts))[number - 1], archive, f'"{release.digest}-{number}"')


def version_before(release: Release) -> Release | None:
    """The version that a patch of this one is for."""
    try:
        before = versions_before(release.study, release.name, release.version)
    except RejectedInput:  # a record of an older installation
        return None
    return before[-1] if before and before[-1].path.is_dir() else None


def patch_of(release: Release) -> Download | None:
    """What makes this release of the version before it; None where there is none, or it is not as it was published.

    Raises:
        DamagedFile: Something of this release is not as it was published.
    """
    former = version_before(release)
    try:
        lists = _lists_of(former) if former else None
    except RejectedInput:
        return None
    if lists is None:
        return None
    checksums_of(release)  # refuses a damaged one before its lists are read
    patch = planned_patch(lists, _lists_of(release))
    archive = Archive(_with_checksums(patch_files(patch, release.path), release))
    return Download(f"{patch.title}.zip", archive, f'"{lists.digest[:32]}-{release.digest}"')


def _lists_of(release: Release) -> ReleaseLists:
    return read_release_lists(FolderFiles(release.path), digest=release.digest)


def _all_files(release: Release) -> list[ArchivedFile]:
    sizes = read_tree(release.path).files
    return [ArchivedFile(release.path / name, f"{release}/{name}", size) for name, size in sorted(sizes.items())]


def _parts(release: Release) -> tuple[Part, ...]:
    files = _all_files(release)
    try:
        return split(files, PART_BYTES) if files else ()
    except RejectedInput:  # a file alone is larger
        return ()


def _with_checksums(files: Sequence[ArchivedFile], release: Release) -> list[ArchivedFile]:
    known = {release.path / name: crc for name, crc in checksums_of(release).items()}
    return [_with_checksum(file, known) for file in files]


def _with_checksum(file: ArchivedFile, known: Mapping[Path, int]) -> ArchivedFile:
    if isinstance(file.source, bytes):
        return file.with_checksum()
    return replace(file, crc32=known[file.source])
