"""Work of a worker for a case: its images onto one grid, and their pictures. No database.

A worker reads, computes, writes into new folders in scratch and returns what is there. The process that asked moves the
folders to their places and makes the records. A worker that dies leaves folders in scratch that go away with the run,
and its work is done again by another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation_backend.cases.workers.pictures import board_thumbnail, thumbnail
from annotation_backend.cases.workers.scratch import new_folder
from datasets.errors import RejectedInput
from datasets.files import canonical_json, is_unchanged, sha256_of_bytes, sha256_of_file, write_bytes, write_json
from datasets.finding import Finding, Level
from datasets.formats.nifti import read_volume, write_volume
from datasets.image.digest import content_sha256, grid_as_dict
from datasets.image.intensity import drawing_window, presets_of
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.case import CaseVolumes
from datasets.study.protocol import PlacedBy

if TYPE_CHECKING:
    from curation.registration.motion_search import RegistrationSettings
    from curation.registration.source_image import SourceImage
    from curation.slices.export import ExportedSlice, SliceExport, SliceSubject

ALONE_FORMAT = "maskloop-image-1"
"""Format of the record of an image that no other was brought onto."""


@dataclass(frozen=True)
class TaskImage:
    """A file of one image of a case, as a worker needs it.

    Args:
        role: Its name in the case.
        title: Its name in messages.
        modality: The machine that made it.
        path: NIfTI file.
        sha256: The digest that the file must have.
        placed_by: How it finds its place on the drawn image.
        is_required: Whether the case is none without it.
        frame: Digest of its frame of reference; empty where none is known.
    """

    role: str
    title: str
    modality: str
    path: Path = field(repr=False)
    sha256: str
    placed_by: PlacedBy = PlacedBy.SEARCH
    is_required: bool = True
    frame: str = ""


@dataclass(frozen=True)
class RegistrationTask:
    """A case whose images are to come onto one grid.

    Args:
        case_code: The case's code.
        fixed: The image that annotators draw on; its grid is the case's.
        moving: The images that are to be brought onto it.
        scratch: Folder of the scratch files, in which new folders are made.
        settings: Settings of the registrations; None for the defaults.
        is_part: Whether the case's other images stay as they are.
    """

    case_code: str
    fixed: TaskImage
    moving: Sequence[TaskImage]
    scratch: Path = field(repr=False)
    settings: "RegistrationSettings | None" = None
    is_part: bool = False


@dataclass(frozen=True)
class StoredRegistration:
    """An image on the case's grid in scratch: both volumes, two checkerboards, and the record as JSON.

    Args:
        role: The image that was moved; that of the fixed image where it is alone.
        fixed_role: The image that stayed.
        folder: Holds ``<role>.nii.gz`` of both, and pictures.
        name: What the folder is to be called.
        record: As `curation.registration.register.Registration.as_record` gives it, with digests of files.
        record_sha256: Digest of the record.
    """

    role: str
    fixed_role: str
    folder: Path = field(repr=False)
    name: str
    record: dict[str, Any]
    record_sha256: str

    @property
    def is_alone(self) -> bool:
        """Whether nothing was moved: the case has one image."""
        return self.role == self.fixed_role

    @property
    def outputs(self) -> dict[str, str]:
        """Role to the digest of its file on the case's grid."""
        return dict(self.record["outputs"])


@dataclass(frozen=True)
class StoredImages:
    """The images of a case in scratch.

    Args:
        registrations: One for each image that was moved, or one of the fixed image alone.
        findings: Why an image that the case can do without is not among them.
    """

    registrations: tuple[StoredRegistration, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class ExportTask:
    """A case whose pictures are to be exported.

    Args:
        subject: The case.
        images: Its images on its grid.
        scratch: Folder of the scratch files, in which a new folder is made.
    """

    subject: "SliceSubject"
    images: Sequence[TaskImage]
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
    windows: Mapping[tuple[str, int], dict[str, str]]
    plane: dict[str, Any]


def register_images(task: RegistrationTask) -> StoredImages:
    """Brings the other images of a case onto the drawn one, and writes each beside it, with checkerboards and record.

    An image that the case can do without and that cannot be brought there is missing then, with a finding.

    Raises:
        RejectedInput: A file was changed, or an image cannot be registered that is required, or was asked for alone.
    """
    from curation.registration.register import require_registrable

    _require_unchanged(task.case_code, [task.fixed, *task.moving])
    fixed = _source(task.fixed)
    require_registrable(fixed)
    stored, findings = [], []
    for image in task.moving:
        try:
            stored.append(_registered(task, image, fixed))
        except RejectedInput as error:
            if image.is_required or task.is_part:
                raise
            findings.append(_left_out(task.case_code, image, error))
    return StoredImages(tuple(stored) or (_alone(task, fixed),), tuple(findings))


def export_pictures(task: ExportTask) -> StoredPictures:
    """Writes a registered case's pictures.

    Raises:
        RejectedInput: A file was changed.
    """
    from curation.slices.export import export_slices

    _require_unchanged(task.subject.case_code, task.images)
    volumes = CaseVolumes({image.role: read_volume(image.path) for image in task.images})
    plane = PicturePlane.of(volumes.grid)
    folder = new_folder(task.scratch)
    presets = {image.role: presets_of(image.modality) for image in task.images}
    export = export_slices(volumes, plane, folder, subject=task.subject, presets=presets)
    return StoredPictures(folder, export.for_drawing, _other_windows(export), plane.as_dict())


def _registered(task: RegistrationTask, image: TaskImage, fixed: "SourceImage") -> StoredRegistration:
    from curation.registration.deformation import write_deformation
    from curation.registration.register import DEFORMATION_FILE, register
    from curation.slices.checkerboard import checkerboard

    found = register(_source(image), fixed, settings=task.settings, placed_by=image.placed_by)
    record = {**found.as_record(), "inputs": {one.role: one.sha256 for one in (image, task.fixed)}}
    name = sha256_of_bytes(canonical_json(record))[:16]
    folder = new_folder(task.scratch)
    volumes = {image.role: found.moved, fixed.role: found.still}
    windows = (
        drawing_window(found.moved.data, modality=image.modality),
        drawing_window(found.still.data, modality=fixed.modality),
    )
    for role, volume in volumes.items():
        write_volume(folder / f"{role}.nii.gz", volume)
    if found.deformation is not None:
        write_deformation(folder / DEFORMATION_FILE, found.deformation)
    write_bytes(folder / "checkerboard.png", checkerboard(found.moved, found.still, windows=windows))
    write_bytes(folder / "thumbnail.png", board_thumbnail(found.moved, found.still, windows=windows))
    record["outputs"] = {role: sha256_of_file(folder / f"{role}.nii.gz") for role in volumes}
    write_json(folder / "registration.json", record)
    digest = sha256_of_bytes(canonical_json(record))
    return StoredRegistration(image.role, fixed.role, folder, name, record, digest)


def _alone(task: RegistrationTask, fixed: "SourceImage") -> StoredRegistration:
    """The drawn image as float32 on its own grid, where there is no other."""
    record: dict[str, Any] = {
        "format": ALONE_FORMAT,
        "grid": grid_as_dict(fixed.volume.grid),
        "sources": {fixed.role: content_sha256(fixed.volume)},
        "inputs": {fixed.role: task.fixed.sha256},
    }
    name = sha256_of_bytes(canonical_json(record))[:16]
    folder = new_folder(task.scratch)
    path = folder / f"{fixed.role}.nii.gz"
    write_volume(path, fixed.as_float)
    record["outputs"] = {fixed.role: sha256_of_file(path)}
    write_bytes(folder / "thumbnail.png", thumbnail(fixed.volume, fixed.modality))
    write_json(folder / "registration.json", record)
    return StoredRegistration(fixed.role, fixed.role, folder, name, record, sha256_of_bytes(canonical_json(record)))


def _source(image: TaskImage) -> "SourceImage":
    from curation.registration.source_image import SourceImage

    return SourceImage(
        read_volume(image.path), role=image.role, title=image.title, modality=image.modality, frame=image.frame
    )


def _left_out(case_code: str, image: TaskImage, error: RejectedInput) -> Finding:
    message = f"The case is made without {image.title}, which could not be brought onto its grid: {error.message}"
    remedy = f"{error.remedy} `manage.py register_cases --redo {image.role} --case {case_code}` tries it again."
    return Finding(Level.WARNING, error.code, message, remedy, case_code)


def _other_windows(export: "SliceExport") -> dict[tuple[str, int], dict[str, str]]:
    windows: dict[tuple[str, int], dict[str, str]] = {}
    for one in export.in_other_windows:
        windows.setdefault((one.role, one.index), {})[one.preset] = one.sha256
    return windows


def _require_unchanged(case_code: str, images: Sequence[TaskImage]) -> None:
    for image in images:
        if not is_unchanged(image.path, sha256=image.sha256):
            raise RejectedInput(
                "case-volume-changed",
                f"The {image.role.upper()} of {case_code} is gone or is not the one that was written.",
                remedy="Restore the data folder from its backup.",
            )
