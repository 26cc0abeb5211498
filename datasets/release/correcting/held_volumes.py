"""Digests of the voxels that a release, or an installation, holds of a case: of numbers, not of files.

Those of the newest schema stand in the manifest. Files of former schemas are read, and their voxels are put as the
newest schema stores them, so that the same image has the same digest in both.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path

import numpy as np

from datasets.formats.nifti import nifti_bytes, read_mask, read_volume
from datasets.image.volume import Affine
from datasets.release.case_files import compact, voxels_digest
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.manifest import CaseEntry
from datasets.release.manifest_reading import AnyCase
from datasets.release.paths import MASK

_VOXEL_BYTES = (1, 2, 4)
"""Of masks, and of images of whole numbers and of others."""

_PIECE = 1 << 20


@dataclass(frozen=True, order=True)
class HeldVolume:
    """An image or a mask of a case.

    Args:
        place: Who holds it, such as ``thigh-tumours-1.0.0``.
        case: What the case is called there.
        name: The image's role, or ``mask``.
        voxels: SHA-256 of its voxels.
        shape: Voxels along i, j, k.
    """

    place: str
    case: str
    name: str
    voxels: str
    shape: tuple[int, ...]

    @property
    def is_blank(self) -> bool:
        """Whether it is zero everywhere: all such volumes of a size are equal, whoever's they are."""
        return self.voxels in blank_digests(prod(self.shape))


def volumes_of_case(release: OpenedRelease, case: AnyCase, *, anew: bool = False) -> Iterator[HeldVolume]:
    """The images and the mask of a case of a release.

    Args:
        release: The release.
        case: The case.
        anew: Reads the files, whatever the manifest says.

    Raises:
        RejectedInput: A file that has to be read is missing or unsound.
    """
    place = f"{release.version.name}-{release.version.version}"
    for name, path in {**case.image_paths, MASK: case.mask_path}.items():
        if isinstance(case, CaseEntry):
            digest = str(release.facts(case, path).voxels) if anew else case.voxels[name]
        else:
            release.facts(case, path)  # to its last byte, as it is listed
            digest = volume_of_file(release.file(path), place=place, case=case.case, name=name).voxels
        yield HeldVolume(place, case.case, name, digest, tuple(case.shape))


def volumes_of_manifest(release: str, cases: tuple[CaseEntry, ...]) -> Iterator[HeldVolume]:
    """All images and masks of a version of the newest schema, as its manifest says.

    Args:
        release: Name and version.
        cases: Those of the manifest.
    """
    for case in cases:
        for name, digest in sorted(case.voxels.items()):
            yield HeldVolume(release, case.case, name, digest, tuple(case.shape))


def volume_of_file(path: Path, *, place: str, case: str, name: str) -> HeldVolume:
    """An image or a mask that lies in a file, as a release of the newest schema would store it.

    Raises:
        RejectedInput: It cannot be read.
    """
    data = read_mask(path).data if name == MASK else compact(read_volume(path).data)
    i, j, k = data.shape
    return HeldVolume(place, case, name, voxels_digest(nifti_bytes(data, _ANYWHERE)), (i, j, k))


def mask_voxels(release: OpenedRelease, case: AnyCase) -> str:
    """SHA-256 of the voxels of a case's mask.

    Raises:
        RejectedInput: As of `volumes_of_case`.
    """
    if isinstance(case, CaseEntry):
        return case.voxels[MASK]
    return next(volume.voxels for volume in volumes_of_case(release, case) if volume.name == MASK)


@lru_cache(maxsize=256)
def blank_digests(count: int) -> frozenset[str]:
    """Digests of volumes of so many voxels that are zero everywhere, of each kind of voxel."""
    return frozenset(_zeros(count * size) for size in _VOXEL_BYTES)


def _zeros(count: int) -> str:
    digest, piece = hashlib.sha256(), bytes(_PIECE)
    for start in range(0, count, _PIECE):
        digest.update(piece[: min(_PIECE, count - start)])
    return digest.hexdigest()


_ANYWHERE: Affine = np.eye(4)
"""Voxels alone count, wherever they lie."""
