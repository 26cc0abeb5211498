"""Manifests of schema 2: a folder of each case with one file a role, ``cases/<case>/<role>.nii.gz``, and the mask.

Releases of that schema are in people's hands; they are read and verified, and no longer written. Nothing here changes:
the digest of a release is that of these very fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datasets.release.manifest_parts import EncodedManifest, FileEntry, LabelEntry, ProtocolEntry

SCHEMA_2 = "maskloop-release/2"

FOLDERS_2 = ("cases/",)

_MASK = "mask"


@dataclass(frozen=True)
class RoleEntry2:
    """A role of the release's images.

    Args:
        name: File names come from it.
        modality: As DICOM writes it: ``MR``, ``CT``, ``PT``.
        drawn: Whether the mask of a case was drawn on it.
    """

    name: str
    modality: str
    drawn: bool


@dataclass(frozen=True)
class CaseEntry2:
    """One case of a release, with its sources.

    Args:
        case: Its code.
        patient: Its patient's pseudonymous code.
        tissue_type: Tissue of origin.
        anatomical_site: In words.
        drawn_role: The role that annotators drew on.
        images: The roles of which it has an image, in the order of the release's roles.
        missing_images: Optional roles of which it has none.
        quality_score: The reviewer's score, or None.
        shape: Voxels along i, j, k.
        spacing_mm: Distance between voxels along i, j, k in millimetres.
        volume_ml: Volume of all labels together in millilitres.
        label_volumes_ml: Volume of each label of the release by its name in millilitres.
        mask_empty: Whether the mask holds no voxel, as its reviewer approved.
        unannotated_slices: Slices that nobody drew on.
        sources: SHA-256 of the sources of the files, by name.
        parameters: Further facts about how the case was made.
    """

    case: str
    patient: str
    tissue_type: str
    anatomical_site: str
    drawn_role: str
    images: tuple[str, ...]
    missing_images: tuple[str, ...]
    quality_score: str | None
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    volume_ml: float
    label_volumes_ml: Mapping[str, float]
    mask_empty: bool
    unannotated_slices: tuple[int, ...]
    sources: Mapping[str, str]
    parameters: Mapping[str, Any]

    @property
    def image_paths(self) -> dict[str, str]:
        """The path of each image by its role."""
        return {role: _path(self.case, role) for role in self.images}

    @property
    def mask_path(self) -> str:
        """The path of its mask."""
        return _path(self.case, _MASK)


@dataclass(frozen=True)
class Manifest2(EncodedManifest):
    """The contents of a manifest.json of schema 2.

    Args:
        name: The release's name.
        version: Its version.
        follows: The version before it, or None.
        licence: Name of the data's licence.
        protocol: What the cases were made by; None where the publisher has no document of it.
        labels: The values of the masks, sorted.
        roles: What images cases have.
        seed: Seed of the suggested folds.
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
    roles: tuple[RoleEntry2, ...]
    seed: int
    software: Mapping[str, str]
    withdrawn: tuple[str, ...]
    cases: tuple[CaseEntry2, ...]
    files: tuple[FileEntry, ...]
    schema: str = SCHEMA_2


def _path(code: str, name: str) -> str:
    return f"cases/{code}/{name}.nii.gz"
