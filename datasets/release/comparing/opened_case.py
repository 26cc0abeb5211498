"""A case of a release that is opened for comparing: words about it, and its images and mask."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.manifest import CaseEntry
from datasets.release.manifest_1 import CaseEntry1
from datasets.release.manifest_reading import AnyCase, strict_json
from datasets.release.verification.contents import Facts

_LONGEST_VALUE = 200
"""Signs of a value; what is longer says nothing to people."""


@dataclass(frozen=True, eq=False)
class OpenedCase:
    """A case of an opened release.

    Args:
        release: The release.
        entry: The case in its manifest.
    """

    release: OpenedRelease
    entry: AnyCase

    @property
    def drawn_role(self) -> str:
        """The role of the image that the mask was drawn on."""
        return str(self.entry.annotated_sequence if isinstance(self.entry, CaseEntry1) else self.entry.drawn_role)

    @property
    def images(self) -> Mapping[str, str]:
        """The path of each image by its role."""
        return self.entry.image_paths

    def words(self) -> dict[str, str]:
        """What is said of it, by names in words."""
        entry = self.entry
        missing = () if isinstance(entry, CaseEntry1) else entry.missing_images
        return {
            "patient": _in_words(entry.patient),
            "tissue type": _in_words(entry.tissue_type),
            "anatomical site": _in_words(entry.anatomical_site),
            "image that was drawn on": self.drawn_role,
            "images that it lacks": _in_words(missing),
            "quality score": _in_words(entry.quality_score),
            "slices that nobody drew on": _in_words(entry.unannotated_slices),
        }

    def provenance(self) -> dict[str, str]:
        """What is known of how its mask came about, by dotted names; nothing in schemas before 3."""
        if not isinstance(self.entry, CaseEntry):
            return {}
        try:
            record = strict_json(self.release.file(self.entry.record).read_bytes())
            return dict(_flat("", record["Maskloop"]["provenance"]))
        except (RejectedInput, OSError, KeyError, TypeError):
            return {}

    def sha256(self, path: str) -> str:
        """A file's digest by the release's lists."""
        return self.release.sha256(path)

    def facts(self, path: str) -> Facts:
        """What an image or the mask holds.

        Raises:
            RejectedInput: As of `OpenedRelease.facts`.
        """
        return self.release.facts(self.entry, path)

    def volume(self, role: str) -> Volume:
        """An image.

        Raises:
            RejectedInput: It cannot be read, or there is none of this role (``case-incomplete``).
        """
        if role not in self.images:
            message = f"The case has no image {role}."
            raise RejectedInput("case-incomplete", message, remedy="Ask the publisher for a new version.")
        return read_volume(self.release.file(self.images[role]))

    def mask(self) -> Mask:
        """Its mask, with the labels of the release.

        Raises:
            RejectedInput: It cannot be read.
        """
        return read_mask(self.release.file(self.entry.mask_path), labels=self.release.labels)


def grid_of(facts: Facts) -> Grid:
    """Where an image's voxels lie."""
    i, j, k = facts.shape
    return Grid((i, j, k), np.array([*facts.rows, (0.0, 0.0, 0.0, 1.0)]))


def _in_words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    """The values of nested objects by dotted names."""
    if isinstance(value, dict):
        parts = [_flat(f"{name}.{key}" if name else str(key), inner) for key, inner in sorted(value.items())]
        return [each for part in parts for each in part]
    return [(name, _in_words(value)[:_LONGEST_VALUE])]
