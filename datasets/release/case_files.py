"""The files of one case of a release: written anew, or taken over from an earlier version that has the very same.

What is taken over is the same file under another name (a hard link), as long as the disk can do that: only what changed
is written, and versions take no more room than what is different in them.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.files import canonical_json, replaced_when_whole, sha256_of_bytes, sha256_of_file, write_bytes
from datasets.formats.gzip_file import gzip_file
from datasets.formats.nifti import VOXEL_OFFSET, nifti_bytes, read_grid, read_volume
from datasets.image.mask import Mask
from datasets.image.volume import Affine
from datasets.release.manifest import CaseEntry, Manifest
from datasets.release.manifest_parts import FileEntry, file_entry
from datasets.release.paths import MANIFEST_NAME, MASK, CasePaths, case_paths
from datasets.release.records import case_record, image_sidecar
from datasets.release.release_case import ReleaseCase, checked_mask
from datasets.release.settings import ReleaseSettings
from datasets.release.verification.lists import judge_lists
from datasets.study.grey_values import GreyValues, grey_values

_FORM = "maskloop-case/1"
"""How a case's files are written; another form has other fingerprints, so that nothing old is taken over."""

_PIECE_VOXELS = 1 << 20


@dataclass(frozen=True)
class WrittenCase:
    """A case that lies in the release's folder.

    Args:
        entry: Its entry in the manifest.
        files: The entries of its files.
        is_taken_over: Whether its files are an earlier version's.
    """

    entry: CaseEntry
    files: Sequence[FileEntry]
    is_taken_over: bool


@dataclass(frozen=True)
class PlannedCase:
    """A case, and what is known of it before it is written.

    Args:
        case: The case.
        sources: SHA-256 of all that its files are made from, by name: as recorded, or of the file as it lies there.
        fingerprint: SHA-256 of all that its files say and are made from.
        known: Its entry in an earlier version, where that was made from the very same.
    """

    case: ReleaseCase
    sources: Mapping[str, str]
    fingerprint: str
    known: CaseEntry | None = None


@dataclass(frozen=True)
class EarlierVersion:
    """An earlier version of the release, whose unchanged cases are taken over.

    Args:
        folder: Its folder.
        manifest: What lies there.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def in_folder(cls, folder: Path) -> "EarlierVersion | None":
        """The version in a folder; None where there is none of this schema whose manifest can be believed."""
        try:
            content = (folder / MANIFEST_NAME).read_bytes()
        except OSError:
            return None
        manifest = judge_lists(content, None).manifest
        return cls(folder, manifest) if isinstance(manifest, Manifest) else None

    def entry(self, code: str, fingerprint: str) -> CaseEntry | None:
        """Its case of this code, if that was made from the very same."""
        found = self._cases.get(code)
        return found if found and found.fingerprint == fingerprint else None

    def file(self, path: str) -> FileEntry | None:
        """Its file at a path."""
        return self._files.get(path)

    @cached_property
    def _cases(self) -> Mapping[str, CaseEntry]:
        return {entry.case: entry for entry in self.manifest.cases}

    @cached_property
    def _files(self) -> Mapping[str, FileEntry]:
        return {entry.path: entry for entry in self.manifest.files}


def plan_case(case: ReleaseCase, settings: ReleaseSettings, *, earlier: EarlierVersion | None = None) -> PlannedCase:
    """What a case is made from, and whether an earlier version was made from the very same.

    A file whose digest is recorded is not read: where it was damaged meanwhile, the earlier version has what came of
    the whole one.

    Args:
        case: The case.
        settings: Name, labels and roles of the release.
        earlier: A version whose unchanged cases are taken over.

    Raises:
        OSError: A file without a recorded digest cannot be read.
    """
    unrecorded = {name: sha256_of_file(path) for name, path in case.files.items() if name not in case.sources}
    sources = {**case.sources, **unrecorded}
    fingerprint = _fingerprint(case, settings, sources)
    known = earlier.entry(case.code, fingerprint) if earlier else None
    return PlannedCase(case, sources, fingerprint, known)


def write_case(
    part: Path, planned: PlannedCase, settings: ReleaseSettings, *, earlier: EarlierVersion | None = None
) -> WrittenCase:
    """Writes a case's images, mask and records, all with the affine of the drawn image.

    Args:
        part: The release's folder.
        planned: The case.
        settings: Name, labels and roles of the release.
        earlier: The version whose files are taken over, where the case is known there and they are as published.

    Raises:
        GeometryError: Images and mask do not lie on one grid.
        RejectedInput: A source was changed, or something is unfit.
    """
    if earlier is not None and planned.known is not None:
        files = _taken_over(part, earlier, planned.known)
        if files is not None:
            return WrittenCase(planned.known, files, is_taken_over=True)
    _require_unchanged(planned)
    written = _written(part, planned, settings)
    if earlier is not None:
        _share(part, earlier, written.files)
    return written


def _require_unchanged(planned: PlannedCase) -> None:
    """Refuses a case one of whose files is not the one that was recorded.

    Raises:
        RejectedInput: ``source-changed``.
    """
    files = planned.case.files
    changed = sorted(name for name, path in files.items() if sha256_of_file(path) != planned.sources[name])
    if changed:
        raise RejectedInput(
            "source-changed",
            f"The digest differs from the one that was recorded for {', '.join(changed)}.",
            remedy="The file was changed after it was recorded: restore it, or have the case reviewed again.",
        )


def _fingerprint(case: ReleaseCase, settings: ReleaseSettings, sources: Mapping[str, str]) -> str:
    """SHA-256 of all that a case's files are made from."""
    made_from = {
        "form": _FORM,
        "case": case.code,
        "former_codes": list(case.former_codes),
        "images": sorted(case.images),
        "may_be_empty": case.may_be_empty,
        "words": [case.tissue_type, case.anatomical_site, case.drawn_role, str(case.quality_score or "")],
        "slices": list(case.unannotated_slices),
        "provenance": dict(case.provenance),
        "sources": dict(sources),
        "labels": {str(value): name for value, name in settings.labels.items()},
        "roles": [[role.name, role.title, role.kind] for role in settings.roles],
    }
    return sha256_of_bytes(canonical_json(made_from))


def _taken_over(part: Path, earlier: EarlierVersion, entry: CaseEntry) -> list[FileEntry] | None:
    """An earlier version's files of a case; None where one of them is not as it was published."""
    files = []
    for path in entry.paths:
        listed, place = earlier.file(path), part / path
        if listed is None or not _is_file(earlier.folder / path):
            return None
        place.parent.mkdir(parents=True, exist_ok=True)
        _link_or_copy(earlier.folder / path, place)
        if not _is_file(place) or sha256_of_file(place) != listed.sha256:
            place.unlink()
            return None
        files.append(listed)
    return files


def _share(part: Path, earlier: EarlierVersion, files: Sequence[FileEntry]) -> None:
    """Takes an earlier version's file in the place of one with the same bytes: of a case whose mask was corrected, the
    images are as they were."""
    for entry in files:
        source, place = earlier.folder / entry.path, part / entry.path
        if earlier.file(entry.path) != entry or not _is_file(source) or sha256_of_file(source) != entry.sha256:
            continue
        second_name = place.with_name(f".shared-{place.name}")
        try:
            os.link(source, second_name, follow_symlinks=False)
            second_name.replace(place)
        except OSError:  # a disk without second names: the file that was written stays
            continue
        finally:
            second_name.unlink(missing_ok=True)


def _is_file(path: Path) -> bool:
    """Whether this is an ordinary file and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _link_or_copy(source: Path, place: Path) -> None:
    """Gives a file that never changes a second name; where the disk cannot do that, its bytes."""
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError:  # another disk, one without such names, or a file of another owner
        with replaced_when_whole(place, is_one_of_many=True) as copy:
            shutil.copyfile(source, copy)


def _written(part: Path, planned: PlannedCase, settings: ReleaseSettings) -> WrittenCase:
    case = planned.case
    grid = read_grid(case.images[case.drawn_role])
    kinds = {role.name: role.kind for role in settings.roles if role.name in case.images}
    paths = case_paths(case.code, kinds, settings.labels)
    mask = checked_mask(case, settings, grid)
    entry, digest = _put_volume(part, paths.mask, mask.data, grid.affine)
    files, voxels = [entry], {MASK: digest}
    grey: dict[str, GreyValues] = {}
    for role in kinds:
        volume = read_volume(case.images[role])
        grid.require_match(volume.grid, what=f"The images {role} and {case.drawn_role}")
        data = compact(volume.data)
        grey[role] = grey_values(data, mask.foreground)
        entry, voxels[role] = _put_volume(part, paths.images[role], data, grid.affine)
        files += [entry, put(part, paths.sidecar(role), canonical_json(image_sidecar(case, settings, role)))]
    record = case_record(case, settings, paths=paths, sources=planned.sources, grey_values=grey)
    files.append(put(part, paths.record, canonical_json(record)))
    known = {"voxels": voxels, "fingerprint": planned.fingerprint}
    return WrittenCase(_entry(case, mask, settings, paths=paths, known=known), files, is_taken_over=False)


def _put_volume(part: Path, path: str, data: NDArray[np.generic], affine: Affine) -> tuple[FileEntry, str]:
    """Writes an image or a mask; its entry, and the SHA-256 of its voxels."""
    content = nifti_bytes(data, affine)
    return put(part, path, gzip_file(content)), voxels_digest(content)


def voxels_digest(content: bytes) -> str:
    """SHA-256 of the voxels of an image or a mask.

    Args:
        content: What `nifti_bytes` gives.
    """
    return hashlib.sha256(memoryview(content)[VOXEL_OFFSET:]).hexdigest()


def _entry(
    case: ReleaseCase, mask: Mask, settings: ReleaseSettings, *, paths: CasePaths, known: Mapping[str, Any]
) -> CaseEntry:
    return CaseEntry(
        case=case.code,
        patient=case.patient_code,
        former_codes=case.former_codes,
        tissue_type=str(case.tissue_type),
        anatomical_site=case.anatomical_site,
        drawn_role=str(case.drawn_role),
        images=dict(paths.images),
        missing_images=tuple(role.name for role in settings.roles if role.name not in case.images),
        mask=paths.mask,
        record=paths.record,
        quality_score=str(case.quality_score) if case.quality_score else None,
        shape=mask.grid.shape,
        spacing_mm=tuple(round(value, 6) for value in mask.grid.spacing),
        volume_ml=round(mask.volume_ml, 3),
        label_volumes_ml={name: round(volume, 3) for name, volume in mask.label_volumes_ml().items()},
        mask_empty=not mask.foreground.any(),
        unannotated_slices=tuple(sorted(case.unannotated_slices)),
        **known,
    )


def compact(data: NDArray[np.generic]) -> NDArray[np.generic]:
    """An image's voxels as int16 where that loses nothing, as scanners write them, else as float32.

    Args:
        data: Voxels (i, j, k); looked at in pieces, so that no copy of all of them is made where they stay float32.

    Raises:
        RejectedInput: One is not finite (``image-not-finite``).
    """
    values = np.asarray(data, dtype=np.float32)
    are_whole = True
    flat = values.reshape(-1, order="A")
    for start in range(0, flat.size, _PIECE_VOXELS):
        piece = flat[start : start + _PIECE_VOXELS]
        if not np.isfinite(piece).all():
            raise RejectedInput(
                "image-not-finite",
                "The image has intensities that are not finite (not-a-number or infinity).",
                remedy="Import or register the image again.",
            )
        are_whole = are_whole and _are_int16(piece)
    return values.astype(np.int16) if are_whole else values


def _are_int16(piece: NDArray[np.float32]) -> bool:
    limits = np.iinfo(np.int16)
    within = piece.min() >= limits.min and piece.max() <= limits.max
    return bool(within and np.array_equal(piece, np.rint(piece)))


def put(part: Path, path: str, content: bytes) -> FileEntry:
    """Writes a file of the release and gives its entry; its folder is flushed later, once for all of them."""
    write_bytes(part / path, content, is_one_of_many=True)
    return file_entry(path, content)
