"""Builds a release: checked before anything is written, built beside its place, moved there when whole.

The same cases and settings give the same bytes: images are encoded anew (no header text travels), nothing names a day,
a machine or a person.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.files import flush_to_disk
from datasets.part_folder import part_folder, place_part
from datasets.progress import Progress
from datasets.release.case_files import EarlierVersion, PlannedCase, plan_case, put, write_case
from datasets.release.describing.metadata.bids import software
from datasets.release.describing.texts import release_texts
from datasets.release.manifest import CaseEntry, Manifest, RoleEntry
from datasets.release.manifest_parts import FileEntry, LabelEntry
from datasets.release.paths import MANIFEST_NAME, SUMS_NAME
from datasets.release.release_case import ReleaseCase, check_case_list, check_description, check_files, naming_case
from datasets.release.settings import ReleaseRole, ReleaseSettings, check_settings
from datasets.release.verify import verify_release

__all__ = [
    "Release",
    "ReleaseCase",
    "ReleaseRole",
    "ReleaseSettings",
    "WrittenRelease",
    "build_release",
    "check_release",
    "written_release",
]


@dataclass(frozen=True)
class Release:
    """A release that lies whole in its folder.

    Args:
        folder: Where it lies.
        name: Its name.
        version: Its version.
        digest: Its `release_digest`.
        cases: How many cases it holds.
        created: False where the very same release lay there before.
        taken_over: How many of the cases have an earlier version's files.
    """

    folder: Path
    name: str
    version: str
    digest: str
    cases: int
    created: bool
    taken_over: int = 0


def check_release(cases: Sequence[ReleaseCase], settings: ReleaseSettings) -> None:
    """Checks settings and cases before a byte is written; writes nothing.

    Raises:
        GeometryError: The images and the mask of a case do not lie on one grid; the message names the case.
        RejectedInput: Settings, codes, words, files or masks that are not fit.
    """
    check_settings(settings)
    check_case_list(cases, settings)
    for case in cases:
        check_description(case, settings)
        check_files(case, settings)


def build_release(
    cases: Sequence[ReleaseCase],
    settings: ReleaseSettings,
    destination: Path,
    *,
    earlier: Path | None = None,
    former: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Release:
    """Writes the release folder ``<name>-<version>`` into `destination`, whole or not at all.

    One case is in memory at a time. A release never changes: where its folder exists, the same release is built and
    compared, and anything but the same is refused.

    Args:
        cases: Approved cases, in any order.
        settings: Name, version, licence and texts of the release.
        destination: The folder of all releases; made where it is not there.
        earlier: The folder of an earlier version: files of cases that were made from the very same are taken over from
            it, as long as they are as they were published.
        former: The folder of the version before, which the change log compares this one with and goes on from.
        progress: Called after each case.

    Raises:
        GeometryError: The images and the mask of a case do not lie on one grid; the message names the case.
        RejectedInput: Something is not fit (see `check_release`), or the version exists with other content.
    """
    with written_release(cases, settings, destination, earlier=earlier, former=former, progress=progress) as written:
        return written.settle()


@dataclass(frozen=True)
class WrittenRelease:
    """A release that is written whole, beside its place.

    Args:
        part: Where it lies now.
        target: Its place.
        settings: Name, version, licence and texts of the release.
        digest: Its `release_digest`.
        cases: How many cases it holds.
        taken_over: How many of them have an earlier version's files.
    """

    part: Path
    target: Path
    settings: ReleaseSettings
    digest: str
    cases: int
    taken_over: int = 0

    def settle(self) -> Release:
        """Moves it to its place, from where it never changes.

        Raises:
            RejectedInput: The version exists with other content.
        """
        created = _settle(self.part, self.target, self.digest)
        named = (self.target, self.settings.name, self.settings.version)
        return Release(*named, self.digest, self.cases, created, self.taken_over)


@contextmanager
def written_release(
    cases: Sequence[ReleaseCase],
    settings: ReleaseSettings,
    destination: Path,
    *,
    earlier: Path | None = None,
    former: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Iterator[WrittenRelease]:
    """Writes a release and leaves it to the caller to settle it; without that it is gone when the block ends.

    So the caller can check again, before it is frozen, that the cases have not changed meanwhile. Arguments and errors
    are those of `build_release`.
    """
    check_settings(settings)
    check_case_list(cases, settings)
    version = EarlierVersion.in_folder(earlier) if earlier else None
    planned = _planned(cases, settings, earlier=version)
    target = destination / f"{settings.name}-{settings.version}"
    with part_folder(destination) as part:
        manifest, taken_over = _write_all(part, planned, settings, earlier=version, former=former, progress=progress)
        yield WrittenRelease(part, target, settings, manifest.release_digest, len(cases), taken_over)


def _planned(
    cases: Sequence[ReleaseCase], settings: ReleaseSettings, *, earlier: EarlierVersion | None
) -> list[PlannedCase]:
    """The cases in their order; those that an earlier version does not hold are checked before anything is written."""
    planned = []
    for case in sorted(cases, key=lambda case: case.code):
        check_description(case, settings)
        is_read = earlier is None or not case.is_recorded
        if is_read:
            check_files(case, settings)
        each = plan_case(case, settings, earlier=earlier)
        if each.known is None and not is_read:
            check_files(case, settings)
        planned.append(each)
    return planned


def _write_all(
    part: Path,
    planned: Sequence[PlannedCase],
    settings: ReleaseSettings,
    *,
    earlier: EarlierVersion | None,
    former: Path | None,
    progress: Progress,
) -> tuple[Manifest, int]:
    """Writes all files; the manifest, and how many cases were taken over."""
    entries: list[CaseEntry] = []
    files: list[FileEntry] = []
    taken_over = 0
    for done, each in enumerate(planned, start=1):
        with naming_case(each.case.code):
            written = write_case(part, each, settings, earlier=earlier)
        entries.append(written.entry)
        files += written.files
        taken_over += written.is_taken_over
        progress(done, len(planned))
    for path, content in release_texts(settings, entries, files, folder=part, former=former).items():
        files.append(put(part, path, content))
    manifest = _manifest(settings, entries, files)
    for path, content in ((MANIFEST_NAME, manifest.encode()), (SUMS_NAME, manifest.sums())):
        put(part, path, content)
    for folder in sorted(path for path in part.rglob("*") if path.is_dir()):
        flush_to_disk(folder)
    return manifest, taken_over


def _manifest(settings: ReleaseSettings, entries: Sequence[CaseEntry], files: Sequence[FileEntry]) -> Manifest:
    return Manifest(
        name=settings.name,
        version=settings.version,
        follows=settings.follows,
        licence=settings.licence,
        protocol=settings.protocol,
        labels=tuple(LabelEntry(value, name) for value, name in sorted(settings.labels.items())),
        roles=_role_entries(settings, entries),
        software=software(),
        withdrawn=tuple(sorted(settings.withdrawn)),
        cases=tuple(entries),
        files=tuple(sorted(files)),
    )


def _role_entries(settings: ReleaseSettings, entries: Sequence[CaseEntry]) -> tuple[RoleEntry, ...]:
    drawn = {entry.drawn_role for entry in entries}
    return tuple(RoleEntry(role.name, role.title, role.kind, role.name in drawn) for role in settings.roles)


def _settle(part: Path, target: Path, digest: str) -> bool:
    """Moves the whole release to its place; False where the same one lies there.

    Raises:
        RejectedInput: Something else lies there.
    """
    if not os.path.lexists(target):
        try:
            place_part(part, target)
        except OSError:  # another build of this version may have come first
            if not (part.exists() and os.path.lexists(target)):
                raise
        else:
            return True
    report = verify_release(target, expected_digest=digest)
    if report.findings:
        raise RejectedInput(
            "release-exists",
            f"{target.name} exists already with other content ({len(report.findings)} differences).",
            remedy="Published releases never change: raise the version, or verify the folder if it may be damaged.",
        )
    return False
