"""Registration: T1 is brought onto T2, rigid then affine, and both onto the case's grid. T2 never moves.

`curation.registration.motion_search` says how the motion is searched and which one is believed; nothing heavy is
imported before that.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from curation.registration.ants_search import antspyx_version
from curation.registration.case_grid import case_grid
from curation.registration.deformation import Deformation, encode_deformation, read_deformation
from curation.registration.itk_search import simpleitk_version
from curation.registration.motion_search import Preset, RegistrationSettings, choose_motion
from curation.registration.quality import RegistrationQuality, check_registration
from curation.registration.similarity import Similarity, rotation_degrees, scales
from curation.registration.transfer import CASE, Placement, transfer_volume
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.image.digest import content_sha256, grid_as_dict
from datasets.image.resample import checked_affine, resample_volume
from datasets.image.volume import Affine, Grid, Volume
from datasets.study.case import CaseVolumes, SeriesRole

RECORD_FORMAT = "maskloop-registration-1"

METHODS = {
    Preset.FAST: "SimpleITK, Mattes mutual information inside the body, L-BFGS-B, rigid then affine",
    Preset.ANTS: "ANTs, Mattes mutual information, gradient descent, rigid then affine",
}
"""The method of each preset, as it stands in records."""

DEFORMATION_FILE = "deformation.nii.gz"
"""The displacement fields' file beside the registered volumes."""

MIN_VOXELS = 4
"""Fewest voxels along an axis that leave something to compare after smoothing."""

_CLIPPED_AT = (0.5, 99.5)


@dataclass(frozen=True)
class FoundMotion:
    """The motion of T1 by the transform that is kept.

    Args:
        shift_mm: Length of the shift at the centre of T2's field of view.
        rotation_degrees: Angle of the rotation.
        stretch: Factors along the three main directions, largest first; 1 for a rigid motion.
    """

    shift_mm: float
    rotation_degrees: float
    stretch: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Registration:
    """A registered case with its transform, checks and sources.

    Args:
        transform: (4, 4) float64, RAS+ millimetres: takes a point of T2's world, which is the case's, to the point of
            T1's world that shows the same anatomy. It carries images and masks of T1 onto the case's grid.
        deformation: Displacement of a point of the case before `transform`; None where none was requested.
        volumes: T1 and T2 as float32 on the case's grid.
        kept: ``header``, ``rigid`` or ``affine``.
        reason: Why that and not the next one, in one sentence.
        before: Agreement under the scanner's own alignment.
        after: Agreement under `transform`.
        motion: How far `transform` moves T1.
        sources: `content_sha256` of the two images as they came, by role.
        quality: Whether it may be trusted.
        settings: How the motion was searched.
    """

    transform: Affine
    volumes: CaseVolumes
    kept: str
    reason: str
    before: Similarity
    after: Similarity
    motion: FoundMotion
    sources: dict[str, str]
    quality: RegistrationQuality
    settings: RegistrationSettings
    deformation: Deformation | None = None

    @property
    def placement(self) -> Placement:
        """The placement of T1."""
        return Placement(self.transform, self.deformation)

    @property
    def t1(self) -> Volume:
        """T1 on the case's grid."""
        return self.volumes.t1

    @property
    def t2(self) -> Volume:
        """T2 on the case's grid."""
        return self.volumes.t2

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON: everything but the images."""
        return {
            "format": RECORD_FORMAT,
            "transform": self.transform.tolist(),
            "transform_maps": "RAS+ mm of the case (T2) to RAS+ mm of T1",
            "grid": grid_as_dict(self.volumes.t2.grid),
            "kept": self.kept,
            "reason": self.reason,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "motion": asdict(self.motion) | {"stretch": list(self.motion.stretch)},
            "quality": self.quality.as_dict(),
            "sources": self.sources,
            "settings": _plain(asdict(self.settings)),
            "method": METHODS[self.settings.preset],
            "deformation": None if self.deformation is None else _deformed(self.deformation),
            "versions": {"antspyx": antspyx_version(), "SimpleITK": simpleitk_version()},
        }


def register(
    t1: Volume, t2: Volume, *, settings: RegistrationSettings | None = None, annotated: SeriesRole = SeriesRole.T2
) -> Registration:
    """Brings T1 onto T2, and both onto the case's grid (see `case_grid`).

    The same input gives the same bytes, in this process or another.

    Args:
        t1: T1 on its own grid.
        t2: T2 on its own grid.
        settings: How to search; None for the defaults.
        annotated: The sequence that annotators draw on; the case's pixels are as large as its own.

    Raises:
        RejectedInput: An image has values that are not finite (``image-not-finite``), is constant
            (``image-constant``), too thin (``image-too-thin``) or sheared (``grid-sheared``); the two show different
            places (``no-overlap``); or no search came to an end (``registration-failed``).
    """
    settings = settings or RegistrationSettings()
    _require_image(t1, "T1")
    _require_image(t2, "T2")
    grid = case_grid(t1.grid, t2.grid, annotated=annotated)
    chosen = choose_motion(t1, t2, settings)
    placement = Placement(chosen.transform, chosen.deformation)
    how = settings.interpolation
    volumes = CaseVolumes(
        t1=transfer_volume(t1, source=placement, target=CASE, grid=grid, interpolation=how), t2=_on(t2, grid, settings)
    )
    return Registration(
        transform=chosen.transform,
        volumes=volumes,
        kept=chosen.kept,
        reason=chosen.reason,
        before=chosen.before,
        after=chosen.after,
        motion=_motion(chosen.transform, t2.grid),
        sources={"t1": content_sha256(t1), "t2": content_sha256(t2)},
        quality=check_registration(chosen),
        settings=settings,
        deformation=chosen.deformation,
    )


def place_series(
    series: Volume, t2: Volume, *, settings: RegistrationSettings | None = None
) -> tuple[Placement, RegistrationQuality]:
    """Registers any other series of the patient onto the case: where it lies, and whether that may be trusted.

    Raises:
        RejectedInput: As for `register`.
    """
    found = register(series, t2, settings=settings)
    return found.placement, found.quality


def placement_of(record: Mapping[str, Any], role: SeriesRole, *, folder: Path) -> Placement:
    """The placement of one of the two series, from a stored `Registration.as_record`.

    Args:
        record: The record.
        role: The series; T2 never moves.
        folder: Holds the registration's files.

    Raises:
        RejectedInput: The record is of another format or damaged, or its deformation is gone or another.
    """
    if record.get("format") != RECORD_FORMAT:
        raise RejectedInput(
            "registration-record",
            f"The registration record is damaged or not of format {RECORD_FORMAT}.",
            remedy="Register the case again.",
        )
    if role is not SeriesRole.T1:
        return CASE
    transform = checked_affine(np.array(record.get("transform"), dtype=np.float64))
    if not record.get("deformation"):
        return Placement(transform)
    path = folder / DEFORMATION_FILE
    if not path.exists() or sha256_of_file(path) != record["deformation"]["sha256"]:
        raise RejectedInput(
            "deformation-changed",
            "The displacement fields are missing or not those that the registration wrote.",
            remedy="Register the case again, or restore the data folder from its backup.",
        )
    return Placement(transform, read_deformation(path))


def _deformed(deformation: Deformation) -> dict[str, Any]:
    """The record's values about the deformation, its file's digest among them."""
    return {
        "file": DEFORMATION_FILE,
        "sha256": sha256_of_bytes(encode_deformation(deformation)),
        "largest_mm": deformation.largest_mm,
        "smallest_volume_change": deformation.smallest_volume_change,
    }


def _motion(transform: Affine, grid: Grid) -> FoundMotion:
    centre = grid.centre_mm
    moved = transform[:3, :3] @ centre + transform[:3, 3]
    return FoundMotion(float(np.linalg.norm(moved - centre)), rotation_degrees(transform), scales(transform))


def _on(volume: Volume, grid: Grid, settings: RegistrationSettings) -> Volume:
    """The volume on a grid in its own world; untouched where it is its own."""
    if grid is volume.grid:
        return Volume(np.asarray(volume.data, dtype=np.float32), grid)
    return resample_volume(volume, grid, interpolation=settings.interpolation)


def _require_image(volume: Volume, role: str) -> None:
    values = np.asarray(volume.data)
    if not np.isfinite(values).all():
        raise RejectedInput(
            "image-not-finite",
            f"{role} has values that are not finite (not-a-number or infinite).",
            remedy="Export the series again, without a mask applied to it.",
        )
    if min(values.shape) < MIN_VOXELS:
        raise RejectedInput(
            "image-too-thin",
            f"Expected at least {MIN_VOXELS} voxels along each axis of {role}, got {volume.grid.describe()}.",
            remedy="Give the whole series.",
        )
    low, high = np.percentile(values, _CLIPPED_AT)
    if low == high:
        raise RejectedInput(
            "image-constant",
            f"{role} shows nothing: at least 99 % of its voxels have one value.",
            remedy="Export the series again; its pixels did not arrive.",
        )
    if not volume.grid.is_orthogonal:
        raise RejectedInput(
            "grid-sheared",
            f"The axes of {role} are not at right angles: its grid is sheared.",
            remedy="Resample the series onto a grid without shear (gantry tilt corrected) first.",
        )


def _plain(value: Any) -> Any:
    """Tuples as lists, enums as their words."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, Enum) else value
