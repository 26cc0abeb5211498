"""The manifest of a release: every file with its digest, every case with its sources, and one digest for all."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from datasets.files import canonical_json, sha256_of_bytes

SCHEMA = "maskloop-release/2"

MANIFEST_NAME = "manifest.json"
SUMS_NAME = "SHA256SUMS"
CARD_NAME = "README.md"
LICENCE_NAME = "LICENSE.txt"
SPLITS_NAME = "splits.json"
TABLE_NAME = "cases.csv"

CASES_FOLDER = "cases/"
MASK = "mask"
"""The mask's name in a case's folder; no role is called so."""

_MEDIA_TYPES = {
    ".gz": "application/gzip",
    ".json": "application/json",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".txt": "text/plain",
}


@dataclass(frozen=True, order=True)
class FileEntry:
    """One file of a release.

    Args:
        path: Relative to the release's folder, with forward slashes.
        sha256: Of its bytes, 64 lower-case hexadecimal digits.
        bytes: Its size.
        media_type: What it is.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str


@dataclass(frozen=True)
class ProtocolEntry:
    """The protocol that the cases were made by.

    Args:
        name: Its name, e.g. ``mstt-199``.
        version: Its version.
        digest: SHA-256 of its document, 64 lower-case hexadecimal digits.
    """

    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class LabelEntry:
    """A value of the masks and the name of its label."""

    value: int
    name: str


@dataclass(frozen=True)
class RoleEntry:
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
class CaseEntry:
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
        return {role: image_path(self.case, role) for role in self.images}

    @property
    def mask_path(self) -> str:
        """The path of its mask."""
        return mask_path(self.case)


class EncodedManifest:
    """The bytes and the digest of a manifest, whatever its schema; a mixin of frozen dataclasses."""

    files: tuple[FileEntry, ...]

    @property
    def release_digest(self) -> str:
        """SHA-256 of the canonical manifest without this digest: names every byte and every source of the release."""
        return sha256_of_bytes(canonical_json(self._values()))

    def encode(self) -> bytes:
        """The bytes of manifest.json."""
        return canonical_json(self._values() | {"release_digest": self.release_digest})

    def sums(self) -> bytes:
        """The bytes of SHA256SUMS, as `sha256sum -c` reads them: every file and the manifest, sorted by path."""
        digests = {entry.path: entry.sha256 for entry in self.files}
        digests[MANIFEST_NAME] = sha256_of_bytes(self.encode())
        return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())).encode()

    def _values(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload]  # every manifest is a dataclass


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
    roles: tuple[RoleEntry, ...]
    seed: int
    software: Mapping[str, str]
    withdrawn: tuple[str, ...]
    cases: tuple[CaseEntry, ...]
    files: tuple[FileEntry, ...]
    schema: str = SCHEMA


def file_entry(path: str, content: bytes) -> FileEntry:
    """The entry of a file with these bytes."""
    suffix = path[path.rindex(".") :]
    return FileEntry(path, sha256_of_bytes(content), len(content), _MEDIA_TYPES[suffix])


def image_path(code: str, role: str) -> str:
    """The path of a case's image of a role in a release."""
    return f"{CASES_FOLDER}{code}/{role}.nii.gz"


def mask_path(code: str) -> str:
    """The path of a case's mask in a release."""
    return image_path(code, MASK)
