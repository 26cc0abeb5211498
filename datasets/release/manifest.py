"""The manifest of a release: every file with its digest, every case with its place, and one digest for all."""

from collections.abc import Mapping
from dataclasses import dataclass

from datasets.release.manifest_parts import EncodedManifest, FileEntry, LabelEntry, ProtocolEntry

SCHEMA = "maskloop-release/3"

FOLDERS = ("sub-",)
"""What the paths of images and masks begin with."""


@dataclass(frozen=True)
class RoleEntry:
    """A role of the release's images.

    Args:
        name: The role.
        title: In words.
        kind: Word of its kind (`datasets.study.image_kind`), e.g. ``t2-fs``.
        drawn: Whether the mask of a case was drawn on it.
    """

    name: str
    title: str
    kind: str
    drawn: bool


@dataclass(frozen=True)
class CaseEntry:
    """One case of a release.

    Args:
        case: Its code, such as ``sub-0001_ses-1``.
        patient: Its patient's code, such as ``sub-0001``.
        former_codes: What earlier versions called it.
        tissue_type: Tissue of origin.
        anatomical_site: In words.
        drawn_role: The role that annotators drew on.
        images: The path of each image by its role, in the order of the release's roles.
        missing_images: Optional roles of which it has none.
        mask: The path of its mask.
        record: The path of what is known of how the mask came about.
        quality_score: The reviewer's score, or None.
        shape: Voxels along i, j, k.
        spacing_mm: Distance between voxels along i, j, k in millimetres.
        volume_ml: Volume of all labels together in millilitres.
        label_volumes_ml: Volume of each label of the release by its name in millilitres.
        mask_empty: Whether the mask holds no voxel, as its reviewer approved.
        unannotated_slices: Slices that nobody drew on.
        voxels: SHA-256 of the voxels of each image by role, and of the mask as ``mask``: the bytes of the inflated
            file behind its header.
        fingerprint: SHA-256 of all that the case was made from; equal ones have the same files.
    """

    case: str
    patient: str
    former_codes: tuple[str, ...]
    tissue_type: str
    anatomical_site: str
    drawn_role: str
    images: Mapping[str, str]
    missing_images: tuple[str, ...]
    mask: str
    record: str
    quality_score: str | None
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    volume_ml: float
    label_volumes_ml: Mapping[str, float]
    mask_empty: bool
    unannotated_slices: tuple[int, ...]
    voxels: Mapping[str, str]
    fingerprint: str

    @property
    def image_paths(self) -> dict[str, str]:
        """The path of each image by its role."""
        return dict(self.images)

    @property
    def mask_path(self) -> str:
        """The path of its mask."""
        return self.mask

    @property
    def paths(self) -> tuple[str, ...]:
        """All its files."""
        sidecars = (path.removesuffix(".nii.gz") + ".json" for path in self.images.values())
        return (*self.images.values(), *sidecars, self.mask, self.record)


@dataclass(frozen=True)
class Manifest(EncodedManifest):
    """The contents of manifest.json.

    Args:
        name: The release's name.
        version: Its version.
        follows: The version before it, or None.
        licence: Name of the data's licence.
        protocol: What the cases were made by; None where the publisher has no document of it.
        labels: The values of the masks, sorted.
        roles: What images cases have.
        software: Versions of the software that built it.
        withdrawn: Codes of cases not to be used any more.
        cases: Sorted by code.
        files: Sorted by path; all but the manifest itself and SHA256SUMS.
        schema: The manifest's own version.
    """

    name: str
    version: str
    follows: str | None
    licence: str
    protocol: ProtocolEntry | None
    labels: tuple[LabelEntry, ...]
    roles: tuple[RoleEntry, ...]
    software: Mapping[str, str]
    withdrawn: tuple[str, ...]
    cases: tuple[CaseEntry, ...]
    files: tuple[FileEntry, ...]
    schema: str = SCHEMA
