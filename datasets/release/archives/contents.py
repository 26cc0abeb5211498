"""Which files go into the archives of a release, and what they are called there."""

from collections.abc import Iterable
from pathlib import Path

from datasets.archives.zip_writing import ArchivedFile
from datasets.release.stores.lists import ReleaseLists


def release_files(folder: Path, lists: ReleaseLists) -> tuple[ArchivedFile, ...]:
    """All files of a release below a folder of its name, in order, without their checksums.

    Args:
        folder: The release's.
        lists: What belongs to it.
    """
    return files_below(lists.title, folder, lists, lists.files)


def files_below(top: str, folder: Path, lists: ReleaseLists, paths: Iterable[str]) -> tuple[ArchivedFile, ...]:
    """Some files of a release below a folder in an archive, in order, without their checksums."""
    return tuple(ArchivedFile(folder / path, f"{top}/{path}", lists.size_of(path)) for path in sorted(paths))


def text_file(name: str, content: bytes) -> ArchivedFile:
    """A file of an archive that lies nowhere else."""
    return ArchivedFile(content, name, len(content))
