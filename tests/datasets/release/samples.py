"""Tiny synthetic cases to build releases of: five cases of four patients, oblique grids, one empty mask."""

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from datasets.files import canonical_json, sha256_of_file
from datasets.formats.nifti import write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.release.build import ReleaseCase, ReleaseRole, ReleaseSettings
from datasets.release.codes import case_code, patient_code
from datasets.release.manifest_parts import ProtocolEntry, file_entry
from datasets.release.paths import MANIFEST_NAME, SUMS_NAME
from datasets.study.case import QualityScore

CANARY = "CANARY^PATIENT 1931-02-03"

SETTINGS = ReleaseSettings(
    name="thigh-tumours",
    version="1.2.0",
    licence="CC-BY-4.0",
    licence_text="Creative Commons Attribution 4.0 International",
    description="Phantoms of tumours.",
    known_limits=("Nobody has these tumours.",),
    citations=("Nobody et al., 2024.",),
    seed=7,
    roles=(ReleaseRole("t1", "T1-weighted", "t1"), ReleaseRole("t2", "T2-weighted", "t2")),
    protocol=ProtocolEntry("mstt-199", 1, "5" * 64),
)

_TYPES = ("fat", "myxoid", "nerve", "fibrous", "fat")


def oblique_affine(*, spacing: tuple[float, float, float] = (0.5, 0.6, 4.0), degrees: float = 20.0) -> np.ndarray:
    """An affine turned about the patient's x axis."""
    turn = np.deg2rad(degrees)
    rotation = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(spacing)
    affine[:3, 3] = (-11.0, 7.5, 3.25)
    return affine


CODES = ("sub-0001_ses-1", "sub-0002_ses-1", "sub-0002_ses-2", "sub-0003_ses-1", "sub-0003_ses-2")
"""Codes of the samples, the first of which has number 1."""

_ENDS = {"t1": "desc-t1_T1w", "t2": "desc-t2_T2w", "mask": "label-Tumour_mask"}


def sample_path(code: str, name: str) -> str:
    """Where ``t1``, ``t2`` or ``mask`` of a case lies in a release."""
    return f"{code.replace('_', '/')}/anat/{code}_{_ENDS[name]}.nii.gz"


def write_case(folder: Path, number: int, *, empty: bool = False, affine: np.ndarray | None = None) -> ReleaseCase:
    """Writes the three files of a case and describes it."""
    random = np.random.default_rng(number)
    grid = Grid((7 + number, 6, 4), oblique_affine() if affine is None else affine)
    folder = folder / f"source-{number}"
    t1, t2, mask = folder / "t1.nii.gz", folder / "t2.nii.gz", folder / "mask.nii.gz"
    write_volume(t1, Volume(random.integers(0, 900, grid.shape).astype(np.float32), grid))
    write_volume(t2, Volume(random.normal(size=grid.shape).astype(np.float32), grid))
    data = np.zeros(grid.shape, np.uint8)
    data[1:4, 2:5, 1:3] = 0 if empty else 1
    write_mask(mask, Mask(data, grid))
    return ReleaseCase(
        code=CODES[number - 1] if number <= len(CODES) else case_code(patient_code(number), 1),
        tissue_type=_TYPES[number % len(_TYPES)],
        anatomical_site="thigh, left",
        images={"t1": t1, "t2": t2},
        drawn_role="t2",
        mask=mask,
        sources={"t1_series": hashlib.sha256(b"t1").hexdigest(), "mask_file": sha256_of_file(mask)},
        quality_score=QualityScore.CANNOT_LOCATE if empty else QualityScore.SUFFICIENT,
        unannotated_slices=(0, 3),
        provenance={"verdict": "approve", "stages": ["drawing", "review"]},
    )


LARGE_BYTES = 36_000_000
"""Of an image of `write_large_case`, compressed, at least."""


def write_large_case(folder: Path) -> ReleaseCase:
    """A case of two images of noise, which does not compress."""
    case, grid = write_case(folder, 1), Grid((220, 220, 220), oblique_affine())
    noise = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    for image in case.images.values():
        write_volume(image, Volume(noise, grid))
    data = np.zeros(grid.shape, np.uint8)
    data[50:90, 50:90, 50:90] = 1
    write_mask(case.mask, Mask(data, grid))
    return replace(case, sources={}, unannotated_slices=())


def write_cases(folder: Path) -> list[ReleaseCase]:
    """Five cases, the last with a rightly empty mask."""
    return [write_case(folder, number, empty=number == 5) for number in range(1, 6)]


def rewrite(release: Path, change: Callable[[dict], None], *, honest: bool = True) -> None:
    """Forges the manifest with knowledge of how it is made; `honest` makes digest and sums agree again."""
    value = json.loads((release / MANIFEST_NAME).read_bytes())
    change(value)
    if honest:
        value.pop("release_digest")
        value["release_digest"] = hashlib.sha256(canonical_json(value)).hexdigest()
    content = canonical_json(value)
    (release / MANIFEST_NAME).write_bytes(content)
    digests = {entry["path"]: entry["sha256"] for entry in value["files"]}
    digests[MANIFEST_NAME] = hashlib.sha256(content).hexdigest()
    (release / SUMS_NAME).write_text("".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())))


def replace_file(release: Path, path: str, content: bytes) -> None:
    """Forges a file: puts other bytes at `path` and lists them everywhere, as if the release was rebuilt by hand."""
    (release / path).write_bytes(content)
    entry = file_entry(path, content)
    voxels = _voxels_sha256(content)

    def change(value: dict) -> None:
        value["files"] = [
            {"path": path, "sha256": entry.sha256, "bytes": entry.bytes, "media_type": entry.media_type}
            if each["path"] == path
            else each
            for each in value["files"]
        ]
        for case in value["cases"] if voxels else ():
            known = case.get("voxels", {})
            known.update({name: voxels for name in known if {"mask": case["mask"], **case["images"]}[name] == path})

    rewrite(release, change)


def _voxels_sha256(content: bytes) -> str | None:
    """Of what lies behind a NIfTI file's header; None for another file."""
    try:
        return hashlib.sha256(gzip.decompress(content)[352:]).hexdigest()
    except (OSError, EOFError):
        return None


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file's bytes by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def with_header_text(path: Path, text: str) -> None:
    """Writes `text` into every free-text place of a NIfTI file: header fields, an extension, the gzip file name."""
    image = nib.load(path)
    copy = nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
    for name in ("descrip", "aux_file", "db_name", "intent_name"):
        copy.header[name] = text.encode()[: copy.header[name].dtype.itemsize]
    copy.header.extensions.append(nib.nifti1.Nifti1Extension("comment", text.encode()))
    with path.open("wb") as file, gzip.GzipFile(text, "wb", fileobj=file, mtime=1_700_000_000) as stream:
        stream.write(copy.to_bytes())
