"""A release of schema 2, built before there was another, is read and verified; its expectations never change."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from datasets.formats.nifti import encode, read_volume
from datasets.release.manifest_2 import Manifest2, RoleEntry2
from datasets.release.manifest_reading import read_manifest
from datasets.release.verify import verify_release
from tests.datasets.release.samples import oblique_affine, replace_file, rewrite

FORMER = Path(__file__).parents[1] / "schema_2" / "thigh-tumours-1.2.0"
DIGEST = "7986920e6952218f2908c9a4046ddae5e653a0ec11b0c41a194b2f44d65dade1"
"""What the build of that day said."""


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """The release, to be damaged."""
    return Path(shutil.copytree(FORMER, tmp_path / FORMER.name))


def _found(release: Path) -> set[tuple[str, str]]:
    return {(each.code, each.subject) for each in verify_release(release).findings}


def test_it_is_sound_and_has_the_digest_that_was_published() -> None:
    report = verify_release(FORMER, expected_digest=DIGEST)
    assert report.findings == ()
    assert (report.files, report.cases, report.digest) == (15, 3, DIGEST)


def test_its_manifest_is_read_and_written_to_the_same_bytes() -> None:
    content = (FORMER / "manifest.json").read_bytes()
    manifest = read_manifest(content)
    assert isinstance(manifest, Manifest2)
    assert manifest.encode() == content
    assert manifest.sums() == (FORMER / "SHA256SUMS").read_bytes()
    assert [(label.value, label.name) for label in manifest.labels] == [(1, "Tumour")]
    assert manifest.roles == (RoleEntry2("t1", "MR", False), RoleEntry2("t2", "MR", True))
    case = manifest.cases[0]
    assert (case.drawn_role, case.images, case.missing_images) == ("t2", ("t1", "t2"), ())
    assert case.image_paths == {"t1": "cases/C0001/t1.nii.gz", "t2": "cases/C0001/t2.nii.gz"}
    assert case.mask_path == "cases/C0001/mask.nii.gz"
    assert case.label_volumes_ml == {"Tumour": case.volume_ml}


@pytest.mark.parametrize("name", ["t1", "t2", "mask"])
def test_damage_to_it_is_named(former: Path, name: str) -> None:
    path = f"cases/C0001/{name}.nii.gz"
    content = bytearray((former / path).read_bytes())
    content[40] ^= 1
    (former / path).write_bytes(content)
    assert _found(former) == {("file-changed", path)}
    volume = read_volume(FORMER / path)
    replace_file(former, path, encode(np.asarray(volume.data), oblique_affine(spacing=(0.5, 0.6, 4.1))))
    assert ("grid-mismatch", "C0001") in _found(former)


def test_a_value_without_a_label_is_named(former: Path) -> None:
    rewrite(former, lambda value: value["labels"][0].update(value=2))
    assert ("mask-labels", "C0001") in _found(former)


def test_a_case_without_its_files_and_files_without_a_case(former: Path) -> None:
    rewrite(former, lambda value: value["cases"][0].update(case="C0008"))
    found = _found(former)
    assert {("case-incomplete", "C0008"), ("file-without-case", "cases/C0001/mask.nii.gz")} <= found
    assert ("splits-incomplete", "splits.json") in found


WRONG = {
    "images-none": lambda value: value["cases"][0].update(images=[]),
    "image-twice": lambda value: value["cases"][0].update(images=["t2", "t2"]),
    "mask-as-image": lambda value: value["cases"][0].update(images=["mask", "t2"]),
    "image-of-no-role": lambda value: value["cases"][0].update(images=["ct", "t2"]),
    "drawn-on-nothing": lambda value: value["cases"][0].update(drawn_role="ct"),
    "voxels": lambda value: value["cases"][0].update(voxels={}),
    "former-codes": lambda value: value["cases"][0].update(former_codes=[]),
    "kind": lambda value: value["roles"][0].update(kind="t1"),
    "seed-gone": lambda value: value.pop("seed"),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_fields_of_the_next_schema_and_wrong_ones_are_none_of_its_own(former: Path, change: object) -> None:
    rewrite(former, change)
    assert ("manifest-shape", "manifest.json") in _found(former)
    assert json.loads((FORMER / "manifest.json").read_bytes())["schema"] == "maskloop-release/2"
