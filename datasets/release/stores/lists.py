"""The lists of a release at whatever place: what belongs to it, before any other file of it is looked at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.progress import Progress
from datasets.release.correcting.given_away import require_nobody_withdrawn
from datasets.release.manifest_parts import file_entry
from datasets.release.manifest_reading import AnyManifest
from datasets.release.paths import MANIFEST_NAME, SUMS_NAME
from datasets.release.stores.folder_files import FolderFiles
from datasets.release.stores.stored_files import ReadableFiles, read_list
from datasets.release.verification.lists import Expected, judge_lists
from datasets.release.verify import verify_release

_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_FINDINGS_SAID = 3


@dataclass(frozen=True)
class ReleaseLists:
    """What belongs to a release.

    Args:
        manifest: Its manifest, sound in itself.
        files: Every file with size and digest by its path, the two lists among them.
    """

    manifest: AnyManifest
    files: Mapping[str, Expected]

    @property
    def title(self) -> str:
        """Name and version, as its folder is called."""
        return f"{self.manifest.name}-{self.manifest.version}"

    @property
    def digest(self) -> str:
        """The release's digest."""
        return self.manifest.release_digest

    @property
    def data(self) -> tuple[str, ...]:
        """The paths of all files but its two lists, in order."""
        return tuple(sorted(set(self.files) - {MANIFEST_NAME, SUMS_NAME}))

    def size_of(self, path: str) -> int:
        """A file's bytes."""
        return self.files[path].bytes or 0

    def media_type(self, path: str) -> str:
        """What a file is: by its name, since a manifest may be anybody's."""
        return file_entry(path, b"").media_type


def read_release_lists(files: ReadableFiles, *, digest: str | None = None) -> ReleaseLists:
    """Reads the lists of a release and judges them.

    Args:
        files: The release's.
        digest: The release digest that is wanted.

    Raises:
        RejectedInput: There is no whole release (``release-missing``), its lists are not sound (``release-unsound``),
            or it is another one than was wanted (``release-digest``).
        MaskloopError: The place refuses.
    """
    content = read_list(files, MANIFEST_NAME)
    if content is None:
        raise RejectedInput(
            "release-missing",
            "There is no whole release at this address.",
            remedy="Give the address of the release itself, with name and version at its end. Where it is being "
            "published, wait until that is done.",
        )
    listing = judge_lists(content, read_list(files, SUMS_NAME))
    manifest = listing.manifest
    if manifest is None or listing.faults or listing.files is None:
        said = " ".join(map(str, listing.faults[:_FINDINGS_SAID]))
        raise _unsound(f"The release's lists are not sound. {said}")
    if digest not in (None, manifest.release_digest):
        raise RejectedInput(
            "release-digest",
            f"Expected the release of digest {digest}, got {manifest.release_digest}.",
            remedy="Ask the publisher which one is right.",
        )
    lists = ReleaseLists(manifest, listing.files)
    if not _TITLE.fullmatch(lists.title):
        raise _unsound("The release's name or version holds signs that no folder's name should.")
    return lists


def sound_release(
    folder: Path, *, digest: str | None = None, progress: Progress = lambda done, total: None
) -> ReleaseLists:
    """Verifies a release in a folder that is to be given away, and gives its lists.

    Raises:
        RejectedInput: It is not as it was published (``release-unsound``), another one (``release-digest``), or a
            tombstone lies beside it (``release-withdrawn``).
    """
    require_nobody_withdrawn(folder)
    report = verify_release(folder, expected_digest=digest, progress=progress)
    if report.findings:
        said = " ".join(map(str, report.findings[:_FINDINGS_SAID]))
        raise _unsound(f"The release has {len(report.findings)} faults. {said}")
    return read_release_lists(FolderFiles(folder), digest=digest)


def _unsound(message: str) -> RejectedInput:
    return RejectedInput("release-unsound", message, remedy="Fetch it again from its publisher, or from the backup.")
