"""Publishes a release at an address: verified before and after, never over anything, and a release only when whole.

In a store, SHA256SUMS is written first: it says which release is coming, so that whoever comes with another one of that
name and version is told at once. manifest.json is written last, after every other file was read back: without it nobody
takes what lies there for a release. Both are created only where nothing is, so one of two publishers makes the release.
"""

from collections.abc import Mapping
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.progress import Progress, ProgressOf, RunningTotal, unseen
from datasets.release.paths import MANIFEST_NAME, SUMS_NAME
from datasets.release.stores.address import FOLDER, Address
from datasets.release.stores.at_once import each_at_once
from datasets.release.stores.filling import Transfer, fill_folder
from datasets.release.stores.folder_files import FolderFiles
from datasets.release.stores.lists import ReleaseLists, sound_release
from datasets.release.stores.opening import opened_to_write
from datasets.release.stores.refusals import file_differs, not_exclusive
from datasets.release.stores.stored_files import WritableFiles, read_expected, read_list


def upload_release(
    folder: Path,
    address: Address,
    *,
    digest: str | None = None,
    progress_of: ProgressOf = unseen,
) -> Transfer:
    """Publishes a release as a folder of its name and version at an address.

    Args:
        folder: The release's folder here.
        address: The place of all releases, a folder or a store.
        digest: The release's digest where it is known from elsewhere.
        progress_of: Shows how far it is.

    Raises:
        RejectedInput: The release is not sound (``release-unsound``), another one of its name and version is there
            (``release-exists``) or coming (``release-claimed``), files lie there that do not belong to it
            (``store-file-differs``, ``store-file-extra``), or the store refuses.
        TryAgain: The store does not answer, is busy or full, or another run is at it; the next run goes on.
    """
    lists = sound_release(folder, digest=digest, progress=progress_of("verifying byte"))
    place = address.below(lists.title)
    if place.scheme != FOLDER:
        return _sent(folder, lists, opened_to_write(place), progress=progress_of("publishing byte"))
    target = Path(place.place).absolute()
    if target.resolve().is_relative_to(folder.resolve()) and target.resolve() != folder.resolve():
        raise RejectedInput(
            "upload-in-release", "The address lies in the release, which never changes.", remedy="Choose another one."
        )
    return fill_folder(FolderFiles(folder), lists, target, is_for_others=True, progress_of=progress_of)


def _sent(folder: Path, lists: ReleaseLists, files: WritableFiles, *, progress: Progress) -> Transfer:
    if _is_published(folder, lists, files):
        return Transfer.of(lists, (), was_there=True)
    _claim(folder, lists, files)
    sizes = files.sizes()
    _require_ours(sizes, lists)
    missing = {path for path in lists.data if path not in sizes}
    count = RunningTotal(0, sum(map(lists.size_of, lists.data)), progress)

    def send(path: str) -> None:
        if path in missing:
            _create(folder, path, lists, files)
        _read_back(path, lists, files)
        count.add(lists.size_of(path))

    each_at_once(send, lists.data, threads=files.most_at_once)
    is_first = _create(folder, MANIFEST_NAME, lists, files)
    if not is_first and not _is_published(folder, lists, files):
        raise file_differs(MANIFEST_NAME)
    _read_back(MANIFEST_NAME, lists, files)
    return Transfer.of(lists, sorted(missing), was_there=not is_first)


def _is_published(folder: Path, lists: ReleaseLists, files: WritableFiles) -> bool:
    """Whether the very same release is there.

    Raises:
        RejectedInput: Another one is (``release-exists``), or files of it are gone (``store-file-differs``).
    """
    there = read_list(files, MANIFEST_NAME)
    if there is None:
        return False
    if there != (folder / MANIFEST_NAME).read_bytes():
        raise RejectedInput(
            "release-exists",
            f"{lists.title} is there already with other content.",
            remedy="Published releases never change: raise the version.",
        )
    sizes = files.sizes()
    _require_ours(sizes, lists)
    for path in lists.files:
        if path not in sizes:
            raise file_differs(path)
    return True


def _claim(folder: Path, lists: ReleaseLists, files: WritableFiles) -> None:
    """Says which release is coming, and makes sure that the store writes over nothing.

    Raises:
        RejectedInput: Another one is coming (``release-claimed``), or the store is not fit (``store-not-exclusive``).
    """
    there = read_list(files, SUMS_NAME)
    if there is None and _create(folder, SUMS_NAME, lists, files) and _create(folder, SUMS_NAME, lists, files):
        raise not_exclusive()  # the second one wrote the same bytes over the first one's
    there = read_list(files, SUMS_NAME)
    if there != (folder / SUMS_NAME).read_bytes():
        raise RejectedInput(
            "release-claimed",
            f"Somebody is publishing another release as {lists.title} there, or began to.",
            remedy="Find out who. If it was given up, remove what lies there with the store's own tools; else raise "
            "the version.",
        )


def _require_ours(sizes: Mapping[str, int], lists: ReleaseLists) -> None:
    for path, size in sorted(sizes.items()):
        if path not in lists.files:
            raise RejectedInput(
                "store-file-extra",
                "A file lies there that does not belong to the release.",
                remedy="Remove it there, or publish elsewhere: whoever fetches the folder would find it among the "
                "release's.",
            )
        if size != lists.files[path].bytes:
            raise file_differs(path)


def _create(folder: Path, path: str, lists: ReleaseLists, files: WritableFiles) -> bool:
    expected = lists.files[path]
    return files.create(path, folder / path, sha256=expected.sha256, media_type=lists.media_type(path))


def _read_back(path: str, lists: ReleaseLists, files: WritableFiles) -> None:
    """Reads what the store gives, to the last byte: what a store says of itself is not believed."""
    for _ in read_expected(files, path, lists.files[path]):
        pass
