"""The files beside a study's releases, made of the records: errata, tombstones, proofs, and pictures of changes.

Making them again changes nothing, so that whatever a crash left out is there after the next build, withdrawal or
decision, or when the reconciler looks.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annotation_backend.cases.workers.scratch import one_at_a_time
from annotation_backend.publishing.contents.versions import releases_folder, versions_before
from annotation_backend.publishing.correcting.listed import listed
from annotation_backend.publishing.correcting.withdrawn import withdrawn_in
from annotation_backend.publishing.models import Release
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput, TryAgain
from datasets.release.comparing.comparison import compare_releases
from datasets.release.comparing.report import comparison_files
from datasets.release.correcting.absence import Absence
from datasets.release.correcting.beside import (
    Beside,
    beside,
    changes_beside,
    put_beside,
    put_changes,
    remove_changes,
)
from datasets.release.correcting.errata_file import errata_file
from datasets.release.correcting.tombstone import tombstone
from datasets.release.manifest_reading import AnyManifest, read_manifest
from datasets.release.paths import MANIFEST_NAME

logger = logging.getLogger(__name__)


def tell_beside(study: Study) -> None:
    """Makes errata and tombstones beside all releases of a study what they should be now.

    A release whose manifest cannot be read keeps what lies there; its own check names the damage. Must not run in a
    transaction: of two that do it at once, the one that writes last has read last.

    Raises:
        TryAgain: The disk takes nothing (``beside-unwritten``).
    """
    releases = list(Release.objects.filter(study=study))
    if not releases:
        return
    with _kept_by_the_records(), one_at_a_time(releases_folder(study)):
        for release in releases:
            _tell_beside(release)


def _tell_beside(release: Release) -> None:
    known, gone = listed(release), withdrawn_in(release)
    if not known and not gone:
        return  # none is ever taken back, so that nothing lies there
    manifest = _manifest_of(release)
    if manifest is None:
        return
    put_beside(release.path, Beside.ERRATA, errata_file(manifest, known) if known else None)
    put_beside(release.path, Beside.TOMBSTONE, tombstone(manifest, gone))
    if gone and _shows(release.path, set(gone)):
        remove_changes(release.path)


def tell_of_new(release: Release, absence: Absence | None) -> None:
    """Writes what belongs beside a version that was just built: what it changed, and that nobody withdrawn is in it.

    Args:
        release: The version.
        absence: The proof of the latter; None where nobody was withdrawn.

    Raises:
        TryAgain: As `tell_beside`.
    """
    before = versions_before(release.study, release.name, release.version)
    with _kept_by_the_records():
        if before and not changes_beside(release.path).exists():
            _show_changes(before[-1], release)
        if absence is not None:
            put_beside(release.path, Beside.PROOF, absence.encode())
    tell_beside(release.study)


def _show_changes(before: Release, release: Release) -> None:
    try:
        found = compare_releases(before.path, release.path)
    except RejectedInput as refusal:  # the version before is not whole any more
        logger.warning("no pictures of what %s changed: %s", release.pk, refusal.code)
    else:
        put_changes(release.path, comparison_files(found))


@contextmanager
def _kept_by_the_records() -> Iterator[None]:
    """Says that what was done is done, where the disk does not take the files that tell others of it."""
    try:
        yield
    except OSError as error:
        raise TryAgain(
            "beside-unwritten",
            "What was asked for is done and recorded, and the files beside the releases that tell others of it "
            f"could not be written ({error.strerror or type(error).__name__}).",
            remedy="Make room for the data folder, or give yourself the right to write there. Lists and tombstones "
            "are written then by themselves, pictures and proof of a version when it is built again.",
        ) from error


def file_beside(release: Release, what: Beside) -> Path | None:
    """A file beside a release, where there is one."""
    path = beside(release.path, what)
    return path if path.is_file() else None


def errata_now(release: Release) -> bytes | None:
    """The list of a release's errata, also where it is empty; None where its manifest cannot be read."""
    manifest = _manifest_of(release)
    return None if manifest is None else errata_file(manifest, listed(release))


def picture_of_change(release: Release, name: str) -> Path | None:
    """A picture of what a version changed, by its name without ending; None where there is none."""
    return next((path for path in pictures_of_changes(release) if path.stem == name), None)


def pictures_of_changes(release: Release) -> list[Path]:
    """The pictures of what a version changed, sorted by their names."""
    return sorted((changes_beside(release.path) / "pictures").glob("*.png"))


def _shows(folder: Path, codes: set[str]) -> bool:
    """Whether the pictures of what a version changed show one of these cases."""
    pictures = changes_beside(folder) / "pictures"
    return any(path.name.startswith(f"{code}-") for path in pictures.glob("*.png") for code in codes)


def _manifest_of(release: Release) -> AnyManifest | None:
    """A release's manifest; None where it cannot be read, which its own check names."""
    try:
        return read_manifest((release.path / MANIFEST_NAME).read_bytes())
    except (OSError, RejectedInput):
        return None
