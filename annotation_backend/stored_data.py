"""Looks over everything that is stored: every file whose digest is written down, every version, release and model.

Whole things are noted as it goes, so that a check which was stopped goes on where it was.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db.models import Max

from annotation_backend.cases.models import Case, Damage
from annotation_backend.cases.stored.digests import FROM_BACKUP, UNREADABLE, StoredFile, compare
from annotation_backend.cases.stored.files import files_of
from annotation_backend.labeling.models import Annotation, CaseMask
from annotation_backend.labeling.versions.stored_masks import make_again, mask_file
from annotation_backend.labeling.versions.stored_versions import damaged_versions
from annotation_backend.publishing.models import Release
from annotation_backend.publishing.stored_release import REMEDY, checked
from annotation_backend.registry.models import Model
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes
from datasets.finding import Finding, Level
from datasets.progress import Progress
from training.model_package import read_package


@dataclass(frozen=True)
class _Item:
    """One stored thing to be checked: a file, a version, a release or a model.

    Args:
        name: A path relative to the data folder, or a code.
        state: Changes whenever one of its files is touched.
        look: Finds its damage.
        make_again: Makes it again as it was, and says whether it could; None where it cannot be made again.
    """

    name: str
    state: str
    look: Callable[[], list[Finding]]
    make_again: Callable[[], bool] | None = None


@dataclass
class DataReport:
    """Result of a check.

    Args:
        checked: Number of things that were looked at now.
        known: Number of things that a check that was stopped had found whole before.
        mended: Names of things that were damaged and are whole again.
        findings: Damage.
    """

    checked: int = 0
    known: int = 0
    mended: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def check_data(*, mend: bool = False, progress: Progress | None = None) -> DataReport:
    """Compares everything that is stored with its recorded digests.

    Args:
        mend: Make masks again that are damaged, from their saves.
        progress: Called with (things done, things to do).
    """
    items, report = list(_everything()), DataReport()
    place = Path(settings.DATA_FOLDER) / "checks" / "check_data.progress"
    place.parent.mkdir(parents=True, exist_ok=True)
    whole = _found_whole(place)
    with place.open("a", encoding="utf-8") as stream:
        for done, item in enumerate(items, start=1):
            if (item.name, item.state) in whole:
                report.known += 1
            else:
                found = _looked_at(item, report, mend=mend)
                if not found:
                    stream.write(json.dumps([item.name, item.state]) + "\n")
                    stream.flush()
            if progress is not None:
                progress(done, len(items))
    place.unlink(missing_ok=True)  # another check may have come to its end meanwhile
    Damage.objects.exclude(file__in=[item.name for item in items]).delete()
    return report


def _looked_at(item: _Item, report: DataReport, *, mend: bool) -> list[Finding]:
    found = _damage_of(item)
    if found and mend and item.make_again is not None and item.make_again():
        found = _damage_of(item)
        report.mended += [] if found else [item.name]
    report.checked += 1
    report.findings += found
    return found


def _damage_of(item: _Item) -> list[Finding]:
    """The item's damage; a folder that does not open must not keep everything else from being looked at."""
    try:
        return item.look()
    except OSError as problem:
        message = f"Files cannot be read ({type(problem).__name__})."
        remedy = f"Give Maskloop's account the right to read them. {FROM_BACKUP}"
        return [Finding(Level.ERROR, UNREADABLE, message, remedy, item.name)]


def _everything() -> Iterator[_Item]:
    for case in Case.objects.with_images().prefetch_related("series__imported_masks", "slices__case"):
        yield from map(_file_item, files_of(case))
        yield _versions_item(case)
    for mask in CaseMask.objects.select_related("case"):
        yield replace(_file_item(mask_file(mask)), make_again=partial(make_again, mask))
    yield from map(_model_item, Model.objects.all())
    yield from map(_release_item, Release.objects.all())


def _file_item(stored: StoredFile) -> _Item:
    def look() -> list[Finding]:
        found = compare(stored)
        return [] if found is None else [_finding(found, stored.name)]

    return _Item(stored.name, _state(stored.path, stored.sha256), look)


def _versions_item(case: Case) -> _Item:
    saves = Annotation.objects.filter(task__case=case)
    newest = saves.aggregate(newest=Max("pk"))["newest"] or 0
    return _Item(f"versions of {case.code}", str(newest), lambda: list(damaged_versions(case)))


def _model_item(model: Model) -> _Item:
    def look() -> list[Finding]:
        try:
            read_package(model.path, expected_digest=model.digest)
        except RejectedInput as error:
            return [Finding(Level.ERROR, error.code, error.message, f"{error.remedy} {FROM_BACKUP}", model.folder)]
        return []

    files = _files_below(model.path)
    return _Item(model.folder, _joined([_state(path, model.digest) for path in files]), look)


def _release_item(release: Release) -> _Item:
    def look() -> list[Finding]:
        findings = checked(release, anew=True).findings
        subjects = [f"{release.folder}/{each.subject}" if each.subject else release.folder for each in findings]
        return [
            Finding(each.level, each.code, each.message, REMEDY, subject)
            for each, subject in zip(findings, subjects, strict=True)
        ]

    files = _files_below(release.path)
    return _Item(release.folder, _joined([_state(path, release.digest) for path in files]), look)


def _finding(error: RejectedInput, name: str) -> Finding:
    return Finding(Level.ERROR, error.code, error.message, error.remedy, name)


def _state(path: Path, sha256: str) -> str:
    """A file's time, size and place on the disk, and the digest that it must have."""
    try:
        status = path.stat()
    except OSError:
        return "none"
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}-{sha256}"


def _files_below(folder: Path) -> list[Path]:
    """All files of a folder, as far as it opens."""
    return sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names)


def _joined(states: list[str]) -> str:
    return sha256_of_bytes(canonical_json(states))


def _found_whole(place: Path) -> set[tuple[str, str]]:
    """Things that a check which was stopped found whole; damaged lines are passed over."""
    found: set[tuple[str, str]] = set()
    for line in place.read_text(encoding="utf-8", errors="replace").splitlines() if place.exists() else []:
        try:
            name, state = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        found.add((str(name), str(state)))
    return found
