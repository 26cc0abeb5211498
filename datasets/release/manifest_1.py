"""Manifests of schema 1: two images a case, which the schema itself names, and masks in a folder of their own.

Releases of that schema are in people's hands; they are read and verified, and no longer written. Nothing here changes:
the digest of a release is that of these very fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datasets.release.manifest_parts import EncodedManifest, FileEntry

SCHEMA_1 = "maskloop-release/1"

FOLDERS_1 = ("images/", "masks/")

_IMAGE_NAMES = ("t1.nii.gz", "t2.nii.gz")


@dataclass(frozen=True)
class CaseEntry1:
    """One case of a release of schema 1; `annotated_sequence` is the role that was drawn on."""

    case: str
    patient: str
    tissue_type: str
    anatomical_site: str
    annotated_sequence: str
    quality_score: str | None
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    volume_ml: float
    mask_empty: bool
    unannotated_slices: tuple[int, ...]
    sources: Mapping[str, str]
    parameters: Mapping[str, Any]

    @property
    def image_paths(self) -> dict[str, str]:
        """The path of each image by its role."""
        return {name.removesuffix(".nii.gz"): f"images/{self.case}/{name}" for name in _IMAGE_NAMES}

    @property
    def mask_path(self) -> str:
        """The path of its mask."""
        return f"masks/{self.case}.nii.gz"


@dataclass(frozen=True)
class Manifest1(EncodedManifest):
    """The contents of a manifest.json of schema 1; `labels` names each value of the masks, by the value in decimal."""

    name: str
    version: str
    follows: str | None
    licence: str
    labels: Mapping[str, str]
    seed: int
    software: Mapping[str, str]
    withdrawn: tuple[str, ...]
    cases: tuple[CaseEntry1, ...]
    files: tuple[FileEntry, ...]
    schema: str = SCHEMA_1
