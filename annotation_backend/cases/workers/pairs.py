"""Work of a worker that takes a patient in: read, write into a new folder in scratch, say what is there. No database.

The process that asked moves the folder to its place and makes the records. A worker that dies leaves a folder in
scratch that goes away with the run, and its work is done again by another.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.cases.workers.pictures import thumbnail
from annotation_backend.cases.workers.scratch import new_folder
from datasets.files import sha256_of_file, write_bytes
from datasets.finding import Finding
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.study.image_kind import T1, T2
from datasets.study.protocol import Protocol

if TYPE_CHECKING:
    from curation.pairing.pairing import LoadedImages, PatientImages

_USUAL_WORDS = {
    *("gtv", "ctv", "ptv", "mass", "tumour", "tumor", "lesion", "edema", "oedema", "necrosis"),
    *("mask", "seg", "segmentation", "label", T1, T2, "mr"),
}
"""Words of an imported region's name that are kept whatever is drawn."""


@dataclass(frozen=True)
class PairTask:
    """A patient's images that are to be read and stored.

    Args:
        pair: The series and masks to read.
        scratch: Folder of the scratch files, in which a new folder is made.
        known_masks: None for everything; otherwise only masks whose source file's digest is not among these.
        taken_names: Names of regions that the case has already, as ``role/name``.
        words: Words of regions' names that are kept, as `region_words` gives them.
    """

    pair: "PatientImages" = field(repr=False)
    scratch: Path = field(repr=False)
    known_masks: frozenset[str] | None = None
    taken_names: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset(_USUAL_WORDS)


@dataclass(frozen=True)
class StoredMask:
    """An imported mask's file, and where it came from; the values of an `ImportedMask`."""

    role: str
    roi_name: str
    file: str
    sha256: str
    source_sha256: str


@dataclass(frozen=True)
class StoredPair:
    """A patient's images in scratch.

    Args:
        folder: Holds ``series/``.
        series: Role to the digest of its file ``series/<role>.nii.gz``; empty where only masks were asked for.
        masks: The masks beside them.
        findings: The images' own, and the masks that are left out.
    """

    folder: Path = field(repr=False)
    series: Mapping[str, str]
    masks: tuple[StoredMask, ...]
    findings: tuple[Finding, ...]


def store_pair(task: PairTask) -> StoredPair:
    """Reads a patient's images and their masks and writes them as NIfTI, with a thumbnail of each series.

    Raises:
        RejectedInput: A volume cannot be read.
    """
    from curation.pairing.pairing import load_images

    folder = new_folder(task.scratch)
    loaded = load_images(task.pair)
    series = (
        {} if task.known_masks is not None else {role: _write_series(folder, role, loaded) for role in loaded.volumes}
    )
    return StoredPair(folder, series, tuple(_write_masks(folder, loaded, task)), loaded.findings)


def region_words(protocol: Protocol) -> frozenset[str]:
    """The words of imported regions' names that are kept: usual ones, and those of the protocol's labels and images."""
    names = [name for label in protocol.labels for name in (label.name, *label.imported_names)]
    return frozenset(_USUAL_WORDS).union(*map(_words_of, (*names, *protocol.roles)))


def known_words(roi_name: str, words: frozenset[str]) -> str:
    """The known words of a region's name; the others are left out, because people type patients' names into it.

    Args:
        roi_name: As it came.
        words: Those that are kept.
    """
    return "_".join(word for word in _words_of(roi_name) if word in words)


def _words_of(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def _write_series(folder: Path, role: str, loaded: "LoadedImages") -> str:
    path = folder / "series" / f"{role}.nii.gz"
    write_volume(path, loaded.volumes[role])
    write_bytes(folder / "series" / f"{role}.png", thumbnail(loaded.volumes[role]))
    return sha256_of_file(path)


def _write_masks(folder: Path, loaded: "LoadedImages", task: PairTask) -> Iterable[StoredMask]:
    taken = set(task.taken_names)
    for role, regions in loaded.masks.items():
        for number, (roi_name, mask) in enumerate(regions.items(), start=1):
            source = loaded.mask_sources[role][roi_name]
            if source not in (task.known_masks or ()):
                name = _free_name(known_words(roi_name, task.words) or f"region_{number}", role, taken)
                yield _write_mask(folder, role, name, mask, source=source)


def _free_name(name: str, role: str, taken: set[str]) -> str:
    """The name, or the name with the next free number."""
    free, number = name, 1
    while f"{role}/{free}" in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(f"{role}/{free}")
    return free


def _write_mask(folder: Path, role: str, name: str, mask: Mask, *, source: str) -> StoredMask:
    file = f"series/{role}-{name}.nii.gz"
    write_mask(folder / file, mask)
    return StoredMask(role, name, file, sha256=sha256_of_file(folder / file), source_sha256=source)
