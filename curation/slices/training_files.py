"""Training slices as files: colour PNGs of triplets, grey PNGs of masks, a manifest that says which belong together.

    axial/C0001_t1_0042.png     T1 at slices 41, 42 and 43 as red, green and blue
    axial/C0001_t2_0042.png     T2 at the same slices
    axial/C0001_mask_0042.png   255 where slice 42 is tumour, 0 elsewhere
    training_slices.json        all of it, with digests; there only when everything else is

The same case, mask and settings give the same bytes. Nothing names the patient.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curation.slices.export import WRITERS, SliceSubject
from datasets.errors import RejectedInput
from datasets.files import flush_to_disk, sha256_of_bytes, write_bytes, write_json
from datasets.image.digest import content_sha256, grid_as_dict
from datasets.image.mask import Mask
from datasets.pictures.picture_plane import AnatomicalPlane
from datasets.pictures.png_encoding import encode_png
from datasets.study.case import CaseVolumes
from datasets.study.training_slices import (
    IsotropicCase,
    TrainingSlice,
    TrainingSliceSettings,
    isotropic_case,
    training_slices,
)

TRAINING_SLICES_FILE = "training_slices.json"
TRAINING_SLICES_FORMAT = "maskloop-training-slices-1"

_MASK = "mask"
"""The part of a slice's files that is no image; no role of a protocol is called so."""


def export_training_slices(
    volumes: CaseVolumes,
    mask: Mask,
    folder: Path,
    *,
    subject: SliceSubject,
    settings: TrainingSliceSettings | None = None,
    modalities: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Writes a case's training slices, and the manifest once all of them are there.

    Args:
        volumes: The case's images on one grid.
        mask: Its tumour on the same grid.
        folder: Where to write; made if it is not there.
        subject: Code, tissue type and site of the case.
        settings: Settings of the slices; None for MSTT-199's.
        modalities: Role to modality, of the images that are no MR.

    Returns:
        The manifest, as in `TRAINING_SLICES_FILE`.

    Raises:
        GeometryError: The mask lies on another grid than the images.
        RejectedInput: The case would be too large (``case-grid-too-large``).
    """
    settings = settings or TrainingSliceSettings()
    case = isotropic_case(volumes, mask, settings, modalities=modalities)
    (folder / TRAINING_SLICES_FILE).unlink(missing_ok=True)
    with ThreadPoolExecutor(WRITERS) as pool:
        slices = list(pool.map(partial(_write_slice, folder, subject.case_code), training_slices(case, settings)))
    for plane in {one["view"] for one in slices}:
        flush_to_disk(folder / plane)
    images = {role: content_sha256(volume) for role, volume in volumes.images.items()}
    sources = {**images, _MASK: content_sha256(mask)}
    manifest = _described(case, subject, settings) | {"sources": sources, "slices": slices}
    write_json(folder / TRAINING_SLICES_FILE, manifest)
    return manifest


def read_training_slices(folder: Path) -> Iterator[TrainingSlice]:
    """The slices of an exported folder, as `training_slices` gave them; each file is checked against its digest.

    Raises:
        RejectedInput: There is no whole manifest (``training-slices-manifest``), or a file is not the one that was
            written (``training-slice-changed``).
    """
    for one in _listed(folder):
        images = {role: _channels_first(_read_part(folder, one[role])) for role in _roles(one)}
        tumour = _read_part(folder, one[_MASK]) > 127
        yield TrainingSlice(AnatomicalPlane(one["view"]), int(one["index"]), images=images, tumour=tumour)


def _described(case: IsotropicCase, subject: SliceSubject, settings: TrainingSliceSettings) -> dict[str, Any]:
    numbers = asdict(settings)
    planes = numbers.pop("planes")
    return {
        "format": TRAINING_SLICES_FORMAT,
        "subject": subject.as_dict(),
        "settings": numbers | {"views": [plane.value for plane in planes]},
        "grid": grid_as_dict(case.grid),
        "windows": {role: list(window) for role, window in case.windows.items()},
        "software": {name: version(name) for name in ("simpleitk", "numpy", "pillow")},
    }


def _write_slice(folder: Path, code: str, one: TrainingSlice) -> dict[str, Any]:
    pictures: dict[str, NDArray[np.uint8]] = {
        **{role: np.moveaxis(triplet, 0, -1) for role, triplet in one.images.items()},
        _MASK: one.tumour.astype(np.uint8) * np.uint8(255),
    }
    files = {}
    for part, picture in pictures.items():
        name = f"{one.plane.value}/{code}_{part}_{one.index:04d}.png"
        content = encode_png(picture)
        write_bytes(folder / name, content, is_one_of_many=True)
        files[part] = {"file": name, "sha256": sha256_of_bytes(content)}
    return {"view": one.plane.value, "index": one.index, "tumour_pixels": one.tumour_pixels, **files}


def _listed(folder: Path) -> list[dict[str, Any]]:
    try:
        manifest = json.loads((folder / TRAINING_SLICES_FILE).read_bytes())
        if manifest["format"] != TRAINING_SLICES_FORMAT:
            raise ValueError(manifest["format"])
        slices = [one for one in manifest["slices"] if AnatomicalPlane(one["view"]) and isinstance(one["index"], int)]
        names = [PurePosixPath(one[part]["file"]) for one in slices for part in (*_roles(one), _MASK)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _not_a_manifest(type(error).__name__) from error
    if any(name.is_absolute() or ".." in name.parts for name in names):
        raise _not_a_manifest("a file outside the folder")
    return slices


def _roles(listed: Mapping[str, Any]) -> list[str]:
    """The images of a listed slice, in alphabetical order."""
    return sorted(part for part, value in listed.items() if isinstance(value, dict) and part != _MASK)


def _read_part(folder: Path, listed: Mapping[str, str]) -> NDArray[np.uint8]:
    """A PNG's pixels, after its bytes were found to be the ones that were written."""
    try:
        content = (folder / listed["file"]).read_bytes()
    except OSError:
        content = b""
    if sha256_of_bytes(content) != listed["sha256"]:
        raise RejectedInput(
            "training-slice-changed",
            "A training slice is gone or has other bytes than were written.",
            remedy="Export the case's training slices again.",
        )
    return np.asarray(Image.open(BytesIO(content)))


def _channels_first(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.moveaxis(picture, -1, 0))


def _not_a_manifest(got: str) -> RejectedInput:
    return RejectedInput(
        "training-slices-manifest",
        f"{TRAINING_SLICES_FILE} is damaged or not of format {TRAINING_SLICES_FORMAT} ({got}).",
        remedy="Export the case's training slices again.",
    )
