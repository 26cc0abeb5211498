"""Builds a release: checked before anything is written, built beside its place, moved there when whole.

The same cases and settings give the same bytes: images are encoded anew (no header text travels), nothing names a day,
a machine or a person.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_file, write_bytes
from datasets.finding import Finding
from datasets.formats.nifti import encode, read_grid, read_volume
from datasets.image.mask import Mask
from datasets.part_folder import part_folder, place_part
from datasets.progress import Progress
from datasets.release.card import dataset_card
from datasets.release.case_table import case_table
from datasets.release.manifest import (
    CARD_NAME,
    LICENCE_NAME,
    MANIFEST_NAME,
    SPLITS_NAME,
    SUMS_NAME,
    TABLE_NAME,
    CaseEntry,
    FileEntry,
    LabelEntry,
    Manifest,
    RoleEntry,
    file_entry,
    image_path,
    mask_path,
)
from datasets.release.request import (
    ReleaseCase,
    ReleaseRole,
    ReleaseSettings,
    check_case,
    check_case_list,
    check_settings,
    checked_mask,
    naming_case,
)
from datasets.release.verify import verify_release
from datasets.study.splits.findings import fold_findings
from datasets.study.splits.folds import stratified_folds
from datasets.study.splits.split_case import SplitCase

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
    """

    folder: Path
    name: str
    version: str
    digest: str
    cases: int
    created: bool


def check_release(cases: Sequence[ReleaseCase], settings: ReleaseSettings) -> None:
    """Checks settings and cases before a byte is written; writes nothing.

    Raises:
        GeometryError: The images and the mask of a case do not lie on one grid; the message names the case.
        RejectedInput: Settings, codes, words, files or masks that are not fit.
    """
    check_settings(settings)
    check_case_list(cases, settings)
    for case in cases:
        check_case(case, settings)


def build_release(
    cases: Sequence[ReleaseCase],
    settings: ReleaseSettings,
    destination: Path,
    *,
    progress: Progress = lambda done, total: None,
) -> Release:
    """Writes the release folder ``<name>-<version>`` into `destination`, whole or not at all.

    One case is in memory at a time. A release never changes: where its folder exists, the same release is built and
    compared, and anything but the same is refused.

    Args:
        cases: Approved cases, in any order.
        settings: Name, version, licence and texts of the release.
        destination: The folder of all releases; made where it is not there.
        progress: Called after each case.

    Raises:
        GeometryError: The images and the mask of a case do not lie on one grid; the message names the case.
        RejectedInput: Something is not fit (see `check_release`), or the version exists with other content.
    """
    with written_release(cases, settings, destination, progress=progress) as written:
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
    """

    part: Path
    target: Path
    settings: ReleaseSettings
    digest: str
    cases: int

    def settle(self) -> Release:
        """Moves it to its place, from where it never changes.

        Raises:
            RejectedInput: The version exists with other content.
        """
        created = _settle(self.part, self.target, self.digest)
        return Release(self.target, self.settings.name, self.settings.version, self.digest, self.cases, created)


@contextmanager
def written_release(
    cases: Sequence[ReleaseCase],
    settings: ReleaseSettings,
    destination: Path,
    *,
    progress: Progress = lambda done, total: None,
) -> Iterator[WrittenRelease]:
    """Writes a release and leaves it to the caller to settle it; without that it is gone when the block ends.

    So the caller can check again, before it is frozen, that the cases have not changed meanwhile. Arguments and errors
    are those of `build_release`.
    """
    check_release(cases, settings)
    target = destination / f"{settings.name}-{settings.version}"
    with part_folder(destination) as part:
        manifest = _write_all(part, sorted(cases, key=lambda case: case.code), settings, progress=progress)
        yield WrittenRelease(part, target, settings, manifest.release_digest, len(cases))


def _write_all(part: Path, cases: Sequence[ReleaseCase], settings: ReleaseSettings, *, progress: Progress) -> Manifest:
    entries: list[CaseEntry] = []
    files: list[FileEntry] = []
    for done, case in enumerate(cases, start=1):
        with naming_case(case.code):
            entry, written = _write_case(part, case, settings)
        entries.append(entry)
        files += written
        progress(done, len(cases))
    for path, content in _texts(settings, entries).items():
        files.append(_write(part, path, content))
    manifest = _manifest(settings, entries, files)
    _write(part, MANIFEST_NAME, manifest.encode())
    write_bytes(part / SUMS_NAME, manifest.sums())
    return manifest


def _write_case(part: Path, case: ReleaseCase, settings: ReleaseSettings) -> tuple[CaseEntry, list[FileEntry]]:
    """Writes a case's images and mask, all with the affine of the drawn image, and gives their manifest entries."""
    sources = _sources(case)
    grid = read_grid(case.images[case.drawn_role])
    mask = checked_mask(case, settings, grid)
    written = []
    for role in _roles_of(case, settings):
        volume = read_volume(case.images[role])
        grid.require_match(volume.grid, what=f"The images {role} and {case.drawn_role}")
        written.append(_write(part, image_path(case.code, role), encode(_compact(volume.data), grid.affine)))
    written.append(_write(part, mask_path(case.code), encode(mask.data, grid.affine)))
    return _entry(case, mask, sources, settings=settings), written


def _roles_of(case: ReleaseCase, settings: ReleaseSettings) -> tuple[str, ...]:
    return tuple(role.name for role in settings.roles if role.name in case.images)


def _entry(case: ReleaseCase, mask: Mask, sources: dict[str, str], *, settings: ReleaseSettings) -> CaseEntry:
    return CaseEntry(
        case=case.code,
        patient=case.patient_code,
        tissue_type=str(case.tissue_type),
        anatomical_site=case.anatomical_site,
        drawn_role=str(case.drawn_role),
        images=_roles_of(case, settings),
        missing_images=tuple(role.name for role in settings.roles if role.name not in case.images),
        quality_score=str(case.quality_score) if case.quality_score else None,
        shape=mask.grid.shape,
        spacing_mm=tuple(round(value, 6) for value in mask.grid.spacing),
        volume_ml=round(mask.volume_ml, 3),
        label_volumes_ml={name: round(volume, 3) for name, volume in mask.label_volumes_ml().items()},
        mask_empty=not mask.foreground.any(),
        unannotated_slices=tuple(sorted(case.unannotated_slices)),
        sources=sources,
        parameters=dict(case.parameters),
    )


def _sources(case: ReleaseCase) -> dict[str, str]:
    """The case's sources and the digests of its files as they lie there now."""
    found = {name: sha256_of_file(path) for name, path in case.files.items()}
    changed = sorted(name for name in found if case.sources.get(name, found[name]) != found[name])
    if changed:
        raise RejectedInput(
            "source-changed",
            f"The digest differs from the one that was recorded for {', '.join(changed)}.",
            remedy="The file was changed after it was recorded: restore it, or have the case reviewed again.",
        )
    return {**case.sources, **found}


def _compact(data: NDArray[np.generic]) -> NDArray[np.generic]:
    """The image as int16 where that loses nothing, as scanners write it, else as float32."""
    values = np.asarray(data, dtype=np.float32)
    if not np.isfinite(values).all():
        raise RejectedInput(
            "image-not-finite",
            "The image has intensities that are not finite (not-a-number or infinity).",
            remedy="Import or register the image again.",
        )
    within = values.min() >= np.iinfo(np.int16).min and values.max() <= np.iinfo(np.int16).max
    return values.astype(np.int16) if within and np.array_equal(values, np.rint(values)) else values


def _texts(settings: ReleaseSettings, entries: Sequence[CaseEntry]) -> dict[str, bytes]:
    """Every file that is not an image or a mask, by its path."""
    splits, findings = _splits(settings, entries)
    licence = f"SPDX-License-Identifier: {settings.licence}\n"
    if settings.licence_text.strip():
        licence += f"\n{settings.licence_text.strip()}\n"
    return {
        TABLE_NAME: case_table(entries, list(settings.labels.values())).encode(),
        SPLITS_NAME: splits,
        CARD_NAME: dataset_card(settings, entries, split_findings=findings).encode(),
        LICENCE_NAME: licence.encode(),
    }


def _splits(settings: ReleaseSettings, entries: Sequence[CaseEntry]) -> tuple[bytes, tuple[Finding, ...]]:
    cases = [SplitCase(entry.case, entry.patient, entry.tissue_type) for entry in entries]
    folds = stratified_folds(cases, folds=settings.folds, seed=settings.seed)
    findings = fold_findings(cases, folds, folds=settings.folds)
    content = {
        "method": "test sets of a cross-validation, balanced by tissue type, each patient in one fold",
        "seed": settings.seed,
        "folds": [list(fold) for fold in folds],
        "findings": [finding.as_dict() for finding in findings],
    }
    return canonical_json(content), findings


def _manifest(settings: ReleaseSettings, entries: Sequence[CaseEntry], files: Sequence[FileEntry]) -> Manifest:
    return Manifest(
        name=settings.name,
        version=settings.version,
        follows=settings.follows,
        licence=settings.licence,
        protocol=settings.protocol,
        labels=tuple(LabelEntry(value, name) for value, name in sorted(settings.labels.items())),
        roles=_role_entries(settings, entries),
        seed=settings.seed,
        software=_software(),
        withdrawn=tuple(sorted(settings.withdrawn)),
        cases=tuple(entries),
        files=tuple(sorted(files)),
    )


def _role_entries(settings: ReleaseSettings, entries: Sequence[CaseEntry]) -> tuple[RoleEntry, ...]:
    drawn = {entry.drawn_role for entry in entries}
    return tuple(RoleEntry(role.name, role.modality, role.name in drawn) for role in settings.roles)


def _software() -> dict[str, str]:
    try:
        return {"maskloop": version("maskloop")}
    except PackageNotFoundError:  # a checkout that was never installed has no version
        return {"maskloop": "not installed"}


def _write(part: Path, path: str, content: bytes) -> FileEntry:
    write_bytes(part / path, content)
    return file_entry(path, content)


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
