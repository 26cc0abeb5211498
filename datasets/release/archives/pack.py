"""Packs a release, or the patch that makes it of an earlier version, into archives of a size."""

from pathlib import Path

from datasets.errors import RejectedInput
from datasets.progress import ProgressOf, unseen
from datasets.release.archives.contents import release_files
from datasets.release.archives.parts import archive_names, split
from datasets.release.archives.patch import patch_files, patch_words, planned_patch
from datasets.release.archives.texts import parts_text, release_after
from datasets.release.archives.writing import WrittenArchive, write_archives
from datasets.release.stores.folder_files import FolderFiles
from datasets.release.stores.lists import read_release_lists, sound_release


def pack_release(
    folder: Path,
    out: Path,
    *,
    digest: str | None = None,
    former: Path | None = None,
    most_bytes: int | None = None,
    progress_of: ProgressOf = unseen,
) -> tuple[WrittenArchive, ...]:
    """Verifies a release and writes its archives; the same release and sizes give the same bytes.

    Args:
        folder: The release's.
        out: The folder of the archives, which is not there yet and lies in no release.
        digest: The release's digest where it is known from elsewhere.
        former: The folder of an earlier version: only the patch that leads from it to this one is packed.
        most_bytes: Of an archive; None for all in one.
        progress_of: Shows how far it is.

    Raises:
        RejectedInput: The release is not sound (``release-unsound``), a file does not fit (``part-size``), the versions
            are of two releases (``patch-versions``), or the folder is not fit (``pack-exists``, ``pack-in-release``).
        TryAgain: There is no room, or another run is at it.
    """
    _require_apart(out, folder, *([former] if former else []))
    lists = sound_release(folder, digest=digest, progress=progress_of("verifying byte"))
    title, files, after = lists.title, release_files(folder, lists), release_after(lists.title, lists.digest)
    if former is not None:
        patch = planned_patch(read_release_lists(FolderFiles(former)), lists)
        title, files, after = patch.title, patch_files(patch, folder), f"\n{patch_words(patch)}"
    parts = split(files, most_bytes)
    text = parts_text(title, title, archive_names(title, len(parts))) + after
    return write_archives(out, title, parts, readme=text, digest=lists.digest, progress=progress_of("packing byte"))


def _require_apart(out: Path, *releases: Path) -> None:
    place = out.resolve()
    if {place, *place.parents} & {each.resolve() for each in releases}:
        raise RejectedInput(
            "pack-in-release",
            "The archives would lie inside a release, which never changes.",
            remedy="Name a folder beside it.",
        )
