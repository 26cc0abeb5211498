"""Registration: an image is brought onto the one that annotators draw on, rigid then affine. That one never moves.

`curation.registration.motion_search` says how the motion is searched and which one is believed; nothing heavy is
imported before that. An image of the same examination may be placed by its headers instead, and is only checked then.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from curation.registration.ants_search import antspyx_version
from curation.registration.deformation import Deformation, encode_deformation, read_deformation
from curation.registration.itk_search import simpleitk_version
from curation.registration.motion_search import Preset, RegistrationSettings, choose_motion, placed_by_headers
from curation.registration.quality import RegistrationQuality, check_placement, check_registration
from curation.registration.similarity import Similarity, rotation_degrees, scales
from curation.registration.source_image import SourceImage
from curation.registration.transfer import CASE, Placement, transfer_volume
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.image.digest import content_sha256, grid_as_dict
from datasets.image.resample import checked_affine
from datasets.image.volume import Affine, Grid, Volume
from datasets.study.protocol import PlacedBy

RECORD_FORMAT = "maskloop-registration-1"

METHODS = {
    Preset.FAST: "SimpleITK, Mattes mutual information inside the body, L-BFGS-B, rigid then affine",
    Preset.ANTS: "ANTs, Mattes mutual information, gradient descent, rigid then affine",
}
"""The method of each preset, as it stands in records."""

PLACED_BY_HEADERS = "Placed by the scanner's coordinates, without a search"
"""The method of an image of the same examination."""

DEFORMATION_FILE = "deformation.nii.gz"
"""The displacement fields' file beside the registered volumes."""

MIN_VOXELS = 4
"""Fewest voxels along an axis that leave something to compare after smoothing."""

_CLIPPED_AT = (0.5, 99.5)


@dataclass(frozen=True)
class FoundMotion:
    """The motion of the moving image by the transform that is kept.

    Args:
        shift_mm: Length of the shift at the centre of the fixed image's field of view.
        rotation_degrees: Angle of the rotation.
        stretch: Factors along the three main directions, largest first; 1 for a rigid motion.
    """

    shift_mm: float
    rotation_degrees: float
    stretch: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Registration:
    """An image on the grid of another, with its transform, checks and sources.

    Args:
        transform: (4, 4) float64, RAS+ millimetres: takes a point of the fixed image's world, which is the case's, to
            the point of the moving image's world that shows the same anatomy. It carries images and masks of the
            moving image onto the case's grid.
        deformation: Displacement of a point of the case before `transform`; None where none was requested.
        moving: The moving image as it came.
        fixed: The fixed image as it came.
        moved: The moving image as float32 on the fixed image's grid.
        kept: ``header``, ``rigid`` or ``affine``.
        reason: Why that and not the next one, in one sentence.
        before: Agreement under the scanner's own alignment.
        after: Agreement under `transform`.
        motion: How far `transform` moves the image.
        quality: Whether it may be trusted.
        settings: How the motion was searched.
    """

    transform: Affine
    moving: SourceImage
    fixed: SourceImage
    moved: Volume
    kept: str
    reason: str
    before: Similarity
    after: Similarity
    motion: FoundMotion
    quality: RegistrationQuality
    settings: RegistrationSettings
    deformation: Deformation | None = None
    method: str = METHODS[Preset.FAST]

    @property
    def placement(self) -> Placement:
        """The placement of the moving image."""
        return Placement(self.transform, self.deformation)

    @property
    def still(self) -> Volume:
        """The fixed image as float32, its voxels as they came."""
        return self.fixed.as_float

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON: everything but the images."""
        return {
            "format": RECORD_FORMAT,
            "transform": self.transform.tolist(),
            "transform_maps": f"RAS+ mm of the case ({self.fixed.title}) to RAS+ mm of {self.moving.title}",
            "grid": grid_as_dict(self.fixed.volume.grid),
            "kept": self.kept,
            "reason": self.reason,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "motion": asdict(self.motion) | {"stretch": list(self.motion.stretch)},
            "quality": self.quality.as_dict(),
            "sources": {image.role: content_sha256(image.volume) for image in (self.moving, self.fixed)},
            "settings": _plain(asdict(self.settings)),
            "method": self.method,
            "deformation": None if self.deformation is None else _deformed(self.deformation),
            "versions": {"antspyx": antspyx_version(), "SimpleITK": simpleitk_version()},
        }


def register(
    moving: SourceImage,
    fixed: SourceImage,
    *,
    settings: RegistrationSettings | None = None,
    placed_by: PlacedBy = PlacedBy.SEARCH,
) -> Registration:
    """Brings an image onto another's grid.

    The same input gives the same bytes, in this process or another.

    Args:
        moving: The image that is brought onto the other.
        fixed: The image that stays; its grid is the case's, and its voxels are not interpolated.
        settings: How to search; None for the defaults.
        placed_by: Whether the motion is searched, or the scanner's coordinates are believed.

    Raises:
        RejectedInput: An image has values that are not finite (``image-not-finite``), is constant
            (``image-constant``), too thin (``image-too-thin``) or sheared (``grid-sheared``); the two show different
            places (``no-overlap``); or no search came to an end (``registration-failed``).
    """
    settings = settings or RegistrationSettings()
    require_registrable(moving)
    require_registrable(fixed)
    is_searched = placed_by is PlacedBy.SEARCH
    chosen = (choose_motion if is_searched else placed_by_headers)(moving, fixed, settings)
    moved = transfer_volume(
        moving.volume,
        source=Placement(chosen.transform, chosen.deformation),
        target=CASE,
        grid=fixed.volume.grid,
        interpolation=settings.interpolation,
        outside=moving.outside,
    )
    return Registration(
        transform=chosen.transform,
        moving=moving,
        fixed=fixed,
        moved=moved,
        kept=chosen.kept,
        reason=chosen.reason,
        before=chosen.before,
        after=chosen.after,
        motion=_motion(chosen.transform, fixed.volume.grid),
        quality=(check_registration if is_searched else check_placement)(chosen),
        settings=settings,
        deformation=chosen.deformation,
        method=METHODS[settings.preset] if is_searched else PLACED_BY_HEADERS,
    )


def place_series(
    series: Volume, case: SourceImage, *, settings: RegistrationSettings | None = None
) -> tuple[Placement, RegistrationQuality]:
    """Registers any other series of the patient onto the case: where it lies, and whether that may be trusted.

    Args:
        series: On its own grid.
        case: The image that the case's other images were brought onto.
        settings: How to search; None for the defaults.

    Raises:
        RejectedInput: As for `register`.
    """
    found = register(SourceImage(series, role="series", title="series"), case, settings=settings)
    return found.placement, found.quality


def placement_of(record: Mapping[str, Any], *, folder: Path) -> Placement:
    """The placement of an image that was moved, from a stored `Registration.as_record`.

    Args:
        record: The record.
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


def require_registrable(image: SourceImage) -> None:
    """Refuses an image that cannot be compared with another, or be drawn on.

    Raises:
        RejectedInput: Its values are not finite or all the same, or it is too thin or sheared.
    """
    volume, title = image.volume, image.title
    values = np.asarray(volume.data)
    if not np.isfinite(values).all():
        raise RejectedInput(
            "image-not-finite",
            f"{title} has values that are not finite (not-a-number or infinite).",
            remedy="Export the series again, without a mask applied to it.",
        )
    if min(values.shape) < MIN_VOXELS:
        raise RejectedInput(
            "image-too-thin",
            f"Expected at least {MIN_VOXELS} voxels along each axis of {title}, got {volume.grid.describe()}.",
            remedy="Give the whole series.",
        )
    low, high = np.percentile(values, _CLIPPED_AT)
    if low == high:
        raise RejectedInput(
            "image-constant",
            f"{title} shows nothing: at least 99 % of its voxels have one value.",
            remedy="Export the series again; its pixels did not arrive.",
        )
    if not volume.grid.is_orthogonal:
        raise RejectedInput(
            "grid-sheared",
            f"The axes of {title} are not at right angles: its grid is sheared.",
            remedy="Resample the series onto a grid without shear (gantry tilt corrected) first.",
        )


def _plain(value: Any) -> Any:
    """Tuples as lists, enums as their words."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, Enum) else value
