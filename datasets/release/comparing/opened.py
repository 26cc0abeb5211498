"""A release that is opened for comparing, whatever its schema: words about it, and its files as they are listed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.gate import FastInflating
from datasets.release.comparing.changes import Version
from datasets.release.manifest import Manifest
from datasets.release.manifest_1 import Manifest1
from datasets.release.manifest_reading import AnyCase, AnyManifest
from datasets.release.verification.cases import shape_of
from datasets.release.verification.contents import Facts, Kind
from datasets.release.verification.lists import Expected, read_listing
from datasets.release.verification.reading import Plan, read_file
from datasets.release.verification.tree import read_tree
from datasets.study.image_kind import is_kind, modality_of
from datasets.study.protocol import Modality

_REMEDY = "Verify the release, and fetch it again from its publisher."


@dataclass(frozen=True, eq=False)
class OpenedRelease:
    """A release whose lists are sound.

    Args:
        folder: Where it lies.
        manifest: Its manifest.
        listed: Its files by their paths.
        present: Paths of the regular files that lie in the folder.
    """

    folder: Path
    manifest: AnyManifest
    listed: Mapping[str, Expected]
    present: Collection[str]

    @classmethod
    def in_folder(cls, folder: Path) -> "OpenedRelease":
        """Opens a release.

        Raises:
            RejectedInput: There is none (``release-missing``), or its lists cannot be believed (``release-unsound``).
        """
        if not folder.is_dir():
            message = "There is no folder of a release here that can be opened."
            raise RejectedInput("release-missing", message, remedy="Give the folder's path.")
        tree = read_tree(folder)
        listing = read_listing(folder, tree)
        if listing.manifest is None or listing.files is None:
            raise RejectedInput("release-unsound", "The manifest of a release cannot be believed.", remedy=_REMEDY)
        return cls(folder, listing.manifest, listing.files, frozenset(tree.files))

    @property
    def version(self) -> Version:
        """What it is."""
        manifest = self.manifest
        return Version(str(manifest.name), str(manifest.version), manifest.release_digest, len(manifest.cases))

    @property
    def labels(self) -> dict[int, str]:
        """Name of each value of its masks."""
        if isinstance(self.manifest, Manifest1):
            return {int(value): str(name) for value, name in self.manifest.labels.items() if str(value).isdecimal()}
        return {label.value: label.name for label in self.manifest.labels}

    @cached_property
    def modalities(self) -> dict[str, str]:
        """Modality of each role's images, as in DICOM."""
        if isinstance(self.manifest, Manifest1):
            return {}
        if isinstance(self.manifest, Manifest):
            kinds = {role.name: role.kind for role in self.manifest.roles}
            return {name: modality_of(kind) for name, kind in kinds.items() if is_kind(kind)}
        return {role.name: str(role.modality) for role in self.manifest.roles}

    def modality(self, role: str) -> str:
        """Modality of a role's images."""
        return self.modalities.get(role, Modality.MR)

    def sha256(self, path: str) -> str:
        """A file's digest by the lists; empty where they do not name it."""
        return self.listed[path].sha256 if path in self.listed else ""

    def file(self, path: str) -> Path:
        """Where a listed file lies; a path that a manifest has made up leads nowhere.

        Raises:
            RejectedInput: It is not listed, not there, or a link (``file-missing``).
        """
        if path not in self.listed or path not in self.present:
            raise RejectedInput("file-missing", "A file of the case is missing.", remedy=_REMEDY)
        return self.folder / path

    def facts(self, case: AnyCase, path: str) -> Facts:
        """What a case's image or mask holds, read to its last voxel.

        Args:
            case: The case.
            path: Of the image or the mask.

        Raises:
            RejectedInput: It is missing or not as it is listed (``file-missing``, ``file-changed``), or unsound inside.
        """
        self.file(path)
        kind = Kind.MASK if path == case.mask_path else Kind.IMAGE
        reading = read_file(self.folder, Plan(path, kind, shape_of(case)), inflating=FastInflating)
        if reading.problem or reading.sha256 != self.sha256(path):
            raise RejectedInput("file-changed", "A file of the case is not as it is listed.", remedy=_REMEDY)
        if reading.refusal is not None or reading.facts is None:
            raise reading.refusal or RejectedInput("file-changed", "A file of the case is no image.", remedy=_REMEDY)
        return reading.facts
