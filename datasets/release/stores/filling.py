"""A folder that is filled with a release's files beside its place, verified, and moved there when whole.

What a run that was killed wrote stays beside the place, and the next run goes on with it. Two runs at once: the first
works, the second is told.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import RejectedInput, TryAgain
from datasets.files import flush_to_disk, is_unchanged
from datasets.part_folder import kept_part_folder, place_part
from datasets.progress import Progress, ProgressOf, RunningTotal
from datasets.release.stores.at_once import each_at_once
from datasets.release.stores.lists import ReleaseLists
from datasets.release.stores.refusals import forbidden, full, named_system_errors
from datasets.release.stores.stored_files import ReadableFiles, read_expected
from datasets.release.verification.tree import read_tree
from datasets.release.verify import verify_release

DIGITS_OF_DIGEST = 12
"""Of a digest, in the names of folders that are being filled: by them a run finds what an earlier one left."""


@dataclass(frozen=True)
class Transfer:
    """What came of publishing or fetching a release.

    Args:
        title: The release's name and version.
        digest: Its digest.
        files: How many files it has.
        bytes: Their size together.
        files_sent: How many were sent now.
        bytes_sent: Their size together.
        was_there: Whether the very same release lay there already, or came there meanwhile from somebody else.
        errata: How many are listed beside a release that was fetched.
    """

    title: str
    digest: str
    files: int
    bytes: int
    files_sent: int = 0
    bytes_sent: int = 0
    was_there: bool = False
    errata: int = 0

    @classmethod
    def of(cls, lists: ReleaseLists, sent: Sequence[str], *, was_there: bool = False) -> "Transfer":
        """Of a release, of which these files were sent."""
        sizes = {path: lists.size_of(path) for path in lists.files}
        counts = len(sizes), sum(sizes.values()), len(sent), sum(sizes[path] for path in sent)
        return cls(lists.title, lists.digest, *counts, was_there)


def fill_folder(
    files: ReadableFiles, lists: ReleaseLists, place: Path, *, is_for_others: bool, progress_of: ProgressOf
) -> Transfer:
    """Brings a release into a folder, whole or not at all.

    Args:
        files: The release's, wherever they are.
        lists: What belongs to it.
        place: The folder that is made.
        is_for_others: Whether everybody may read it, as far as the folders above let them.
        progress_of: Shows how far it is.

    Raises:
        RejectedInput: Something else lies there (``release-exists``), or the source lacks a file or gives other bytes
            than its lists say (``store-file-differs``, ``release-unsound``).
        TryAgain: Another run is at it (``release-in-work``), there is no room (``store-full``), or the source does not
            answer.
    """
    with named_system_errors():
        return _filled(files, lists, place, is_for_others=is_for_others, progress_of=progress_of)


def _filled(
    files: ReadableFiles, lists: ReleaseLists, place: Path, *, is_for_others: bool, progress_of: ProgressOf
) -> Transfer:
    if os.path.lexists(place):
        return _there_already(place, lists)
    _make_home(place.parent)
    try:
        with kept_part_folder(place.parent, f"{place.name}-{lists.digest[:DIGITS_OF_DIGEST]}") as part:
            sent = _complete(part, files, lists, progress=progress_of("copying byte"))
            _make_sure(part, lists, progress_of("reading back byte"))
            _set_rights(part, is_for_others=is_for_others)
            try:
                place_part(part, place)
            except OSError:  # somebody may have come first
                if not (part.exists() and os.path.lexists(place)):
                    raise
                shutil.rmtree(part)
                return _there_already(place, lists)
    except (BlockingIOError, FileNotFoundError) as error:  # locked, or just moved to its place
        raise TryAgain(
            "release-in-work",
            "Another run is writing this very release here at this moment.",
            remedy="Wait until it is done; then this command says that the release is there.",
        ) from error
    return Transfer.of(lists, sent)


def _make_home(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:  # in /proc, or below a file
        raise forbidden() from error


def _there_already(place: Path, lists: ReleaseLists) -> Transfer:
    report = verify_release(place, expected_digest=lists.digest)
    if report.findings:
        raise RejectedInput(
            "release-exists",
            f"{place.name} is there already with other content ({len(report.findings)} differences).",
            remedy="Published releases never change: raise the version, or verify what is there; it may be damaged.",
        )
    return Transfer.of(lists, (), was_there=True)


def _complete(part: Path, files: ReadableFiles, lists: ReleaseLists, *, progress: Progress) -> list[str]:
    """Writes what is missing, and takes out what an earlier run did not finish; the paths that were written."""
    missing = sorted(set(lists.files) - _kept(part, lists))
    total = sum(map(lists.size_of, lists.files))
    wanted = sum(map(lists.size_of, missing))
    if shutil.disk_usage(part).free < wanted:
        raise full()
    count = RunningTotal(total - wanted, total, progress)

    def write(path: str) -> None:
        target = part / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            for portion in read_expected(files, path, lists.files[path]):
                out.write(portion)
                count.add(len(portion))
            out.flush()
            os.fsync(out.fileno())

    each_at_once(write, missing, threads=files.most_at_once)
    for folder in sorted(path for path in (part, *part.rglob("*")) if path.is_dir()):
        flush_to_disk(folder)
    return missing


def _kept(part: Path, lists: ReleaseLists) -> set[str]:
    """The files of an earlier run that are whole; all others are taken away."""
    kept = set()
    for path, size in read_tree(part).files.items():
        expected = lists.files.get(path)
        if expected and size == expected.bytes and is_unchanged(part / path, sha256=expected.sha256):
            kept.add(path)
        else:
            (part / path).unlink()
    return kept


def _make_sure(part: Path, lists: ReleaseLists, progress: Progress) -> None:
    """Reads everything back, to the last voxel, before it is a release."""
    report = verify_release(part, expected_digest=lists.digest, progress=progress)
    if report.findings:
        said = "; ".join(map(str, report.findings[:3]))
        raise RejectedInput(
            "release-unsound",
            f"What was written has {len(report.findings)} faults: {said}",
            remedy="Verify the release where it comes from. If it is sound there, check this disk.",
        )


def _set_rights(part: Path, *, is_for_others: bool) -> None:
    for path in part.rglob("*") if is_for_others else ():
        path.chmod(0o755 if path.is_dir() else 0o644)
