"""Work of a worker for a case: read, compute, write into a new folder in scratch, return what is there. No database.

The process that asked moves the folder to its place and makes the records. A worker that dies leaves a folder in
scratch that goes away with the run, and its work is done again by another.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation_backend.cases.workers.pictures import checkerboard_thumbnail, thumbnail
from datasets.errors import RejectedInput
from datasets.files import canonical_json, is_unchanged, sha256_of_bytes, sha256_of_file, write_bytes, write_json
from datasets.finding import Finding
from datasets.formats.nifti import read_volume, write_mask, write_volume
from datasets.image.mask import Mask
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.case import CaseVolumes, SeriesRole
from datasets.study.protocol import Protocol

if TYPE_CHECKING:
    from curation.pairing.pairing import LoadedImages, PatientImages
    from curation.registration.motion_search import RegistrationSettings
    from curation.slices.export import ExportedSlice, SliceExport, SliceSubject

_USUAL_WORDS = {
    *("gtv", "ctv", "ptv", "mass", "tumour", "tumor", "lesion", "edema", "oedema", "necrosis"),
    *("mask", "seg", "segmentation", "label", "t1", "t2", "mr"),
}
"""Words of an imported region's name that are kept whatever is drawn."""


@dataclass(frozen=True)
class PairTask:
    """A patient's images that are to be read and stored.

    Args:
        pair: The series and masks to read.
        scratch: Folder of the scratch files, in which a new folder is made.
        known_masks: None for everything; otherwise only masks whose source file's digest is not among these.
        taken_names: Names of regions that the case has already, as ``role/name``.
        words: Words of regions' names that are kept, as `region_words` gives them.
    """

    pair: "PatientImages" = field(repr=False)
    scratch: Path = field(repr=False)
    known_masks: frozenset[str] | None = None
    taken_names: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset(_USUAL_WORDS)


@dataclass(frozen=True)
class StoredMask:
    """An imported mask's file, and where it came from; the values of an `ImportedMask`."""

    role: str
    roi_name: str
    file: str
    sha256: str
    source_sha256: str


@dataclass(frozen=True)
class StoredPair:
    """A patient's images in scratch.

    Args:
        folder: Holds ``series/``.
        series: Role to the digest of its file ``series/<role>.nii.gz``; empty where only masks were asked for.
        masks: The masks beside them.
        findings: The images' own, and the masks that are left out.
    """

    folder: Path = field(repr=False)
    series: Mapping[str, str]
    masks: tuple[StoredMask, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class RegistrationTask:
    """A case that is to be registered.

    Args:
        case_code: The case's code.
        series: Role to the series' NIfTI file.
        digests: Role to the digest that its file must have.
        annotated: The sequence that annotators draw on.
        scratch: Folder of the scratch files, in which a new folder is made.
        settings: Settings of the registration; None for the defaults.
    """

    case_code: str
    series: Mapping[SeriesRole, Path] = field(repr=False)
    digests: Mapping[SeriesRole, str]
    annotated: SeriesRole
    scratch: Path = field(repr=False)
    settings: "RegistrationSettings | None" = None


@dataclass(frozen=True)
class StoredRegistration:
    """A registration in scratch: ``t1.nii.gz``, ``t2.nii.gz``, two checkerboards, and the record as JSON."""

    case_code: str
    folder: Path = field(repr=False)
    name: str
    record: dict[str, Any]
    record_sha256: str


@dataclass(frozen=True)
class ExportTask:
    """A registered case whose pictures are to be exported.

    Args:
        subject: The case.
        volumes: Role to its registered volume.
        digests: Role to the digest that its file must have.
        scratch: Folder of the scratch files, in which a new folder is made.
    """

    subject: "SliceSubject"
    volumes: Mapping[SeriesRole, Path] = field(repr=False)
    digests: Mapping[SeriesRole, str]
    scratch: Path = field(repr=False)


@dataclass(frozen=True)
class StoredPictures:
    """Exported pictures in scratch.

    Args:
        folder: Holds them all.
        slices: The pictures that annotators draw on.
        windows: The same slices in other windows: role and index to the digest by the window's name.
        plane: How the grid was cut.
    """

    folder: Path = field(repr=False)
    slices: "tuple[ExportedSlice, ...]"
    windows: Mapping[tuple[SeriesRole, int], dict[str, str]]
    plane: dict[str, Any]


def store_pair(task: PairTask) -> StoredPair:
    """Reads a patient's images and their masks and writes them as NIfTI, with a thumbnail of each series.

    Raises:
        RejectedInput: A volume cannot be read.
    """
    from curation.pairing.pairing import load_images

    folder = _new_folder(task.scratch)
    loaded = load_images(task.pair)
    series = (
        {} if task.known_masks is not None else {role: _write_series(folder, role, loaded) for role in loaded.volumes}
    )
    return StoredPair(folder, series, tuple(_write_masks(folder, loaded, task)), loaded.findings)


def register_pair(task: RegistrationTask) -> StoredRegistration:
    """Brings T1 onto T2 and writes both on one grid, with checkerboards and the record.

    Raises:
        RejectedInput: A file was changed, or the volumes cannot be registered.
    """
    from curation.registration.deformation import write_deformation
    from curation.registration.register import DEFORMATION_FILE, register
    from curation.slices.checkerboard import checkerboard

    _require_unchanged(task.case_code, task.series, task.digests)
    t1, t2 = (read_volume(task.series[role]) for role in (SeriesRole.T1, SeriesRole.T2))
    found = register(t1, t2, settings=task.settings, annotated=task.annotated)
    record = {**found.as_record(), "inputs": {role.value: digest for role, digest in task.digests.items()}}
    name = sha256_of_bytes(canonical_json(record))[:16]
    folder = _new_folder(task.scratch)
    volumes = found.volumes
    write_volume(folder / "t1.nii.gz", volumes.t1)
    write_volume(folder / "t2.nii.gz", volumes.t2)
    if found.deformation is not None:
        write_deformation(folder / DEFORMATION_FILE, found.deformation)
    write_bytes(folder / "checkerboard.png", checkerboard(volumes.t1, volumes.t2))
    write_bytes(folder / "thumbnail.png", checkerboard_thumbnail(volumes.t1, volumes.t2))
    record["outputs"] = {role.value: sha256_of_file(folder / f"{role.value}.nii.gz") for role in SeriesRole}
    write_json(folder / "registration.json", record)
    return StoredRegistration(task.case_code, folder, name, record, sha256_of_bytes(canonical_json(record)))


def export_pictures(task: ExportTask) -> StoredPictures:
    """Writes a registered case's pictures.

    Raises:
        RejectedInput: A file was changed.
    """
    from curation.slices.export import export_slices

    _require_unchanged(task.subject.case_code, task.volumes, task.digests)
    volumes = CaseVolumes(t1=read_volume(task.volumes[SeriesRole.T1]), t2=read_volume(task.volumes[SeriesRole.T2]))
    plane = PicturePlane.of(volumes.t2.grid)
    folder = _new_folder(task.scratch)
    export = export_slices(volumes, plane, folder, subject=task.subject)
    return StoredPictures(folder, export.for_drawing, _other_windows(export), plane.as_dict())


def _other_windows(export: "SliceExport") -> dict[tuple[SeriesRole, int], dict[str, str]]:
    windows: dict[tuple[SeriesRole, int], dict[str, str]] = {}
    for one in export.slices:
        if one.preset != export.presets[0].name:
            windows.setdefault((one.role, one.index), {})[one.preset] = one.sha256
    return windows


def region_words(protocol: Protocol) -> frozenset[str]:
    """The words of imported regions' names that are kept: usual ones, and those of the protocol's labels and images."""
    names = [name for label in protocol.labels for name in (label.name, *label.imported_names)]
    return frozenset(_USUAL_WORDS).union(*map(_words_of, (*names, *protocol.roles)))


def known_words(roi_name: str, words: frozenset[str]) -> str:
    """The known words of a region's name; the others are left out, because people type patients' names into it.

    Args:
        roi_name: As it came.
        words: Those that are kept.
    """
    return "_".join(word for word in _words_of(roi_name) if word in words)


def _words_of(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def _new_folder(scratch: Path) -> Path:
    folder = scratch / secrets.token_hex(8)
    folder.mkdir()
    return folder


def _write_series(folder: Path, role: str, loaded: "LoadedImages") -> str:
    path = folder / "series" / f"{role}.nii.gz"
    write_volume(path, loaded.volumes[role])
    write_bytes(folder / "series" / f"{role}.png", thumbnail(loaded.volumes[role]))
    return sha256_of_file(path)


def _write_masks(folder: Path, loaded: "LoadedImages", task: PairTask) -> Iterable[StoredMask]:
    taken = set(task.taken_names)
    for role, regions in loaded.masks.items():
        for number, (roi_name, mask) in enumerate(regions.items(), start=1):
            source = loaded.mask_sources[role][roi_name]
            if source not in (task.known_masks or ()):
                name = _free_name(known_words(roi_name, task.words) or f"region_{number}", role, taken)
                yield _write_mask(folder, role, name, mask, source=source)


def _free_name(name: str, role: str, taken: set[str]) -> str:
    """The name, or the name with the next free number."""
    free, number = name, 1
    while f"{role}/{free}" in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(f"{role}/{free}")
    return free


def _write_mask(folder: Path, role: str, name: str, mask: Mask, *, source: str) -> StoredMask:
    file = f"series/{role}-{name}.nii.gz"
    write_mask(folder / file, mask)
    return StoredMask(role, name, file, sha256=sha256_of_file(folder / file), source_sha256=source)


def _require_unchanged(case_code: str, files: Mapping[SeriesRole, Path], digests: Mapping[SeriesRole, str]) -> None:
    for role, path in files.items():
        if not is_unchanged(path, sha256=digests[role]):
            raise RejectedInput(
                "case-volume-changed",
                f"The {role.value.upper()} of {case_code} is gone or is not the one that was written.",
                remedy="Restore the data folder from its backup.",
            )
