"""A release of schema 1, built before there was another, is read and verified; its expectations never change."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from datasets.formats.nifti import encode, read_volume
from datasets.release.manifest_1 import Manifest1
from datasets.release.manifest_reading import read_manifest
from datasets.release.verify import verify_release
from tests.datasets.release.samples import oblique_affine, replace_file, rewrite

FORMER = Path(__file__).parents[1] / "schema_1" / "thigh-tumours-1.2.0"
DIGEST = "6f29c0dbca22509d6a4cef8f3f504483a314a2a7fb40e84482d2989c54b483c6"
"""What the build of that day said."""


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """The release, to be damaged."""
    return Path(shutil.copytree(FORMER, tmp_path / FORMER.name))


def test_it_is_sound_and_has_the_digest_that_was_published() -> None:
    report = verify_release(FORMER, expected_digest=DIGEST)
    assert report.findings == ()
    assert (report.files, report.cases, report.digest) == (15, 3, DIGEST)


def test_its_manifest_is_read_and_written_to_the_same_bytes() -> None:
    content = (FORMER / "manifest.json").read_bytes()
    manifest = read_manifest(content)
    assert isinstance(manifest, Manifest1)
    assert manifest.encode() == content
    assert manifest.sums() == (FORMER / "SHA256SUMS").read_bytes()
    assert manifest.labels == {"1": "Tumour"}
    assert [case.annotated_sequence for case in manifest.cases] == ["t2", "t2", "t2"]
    assert manifest.cases[0].image_paths == {"t1": "images/C0001/t1.nii.gz", "t2": "images/C0001/t2.nii.gz"}
    assert manifest.cases[0].mask_path == "masks/C0001.nii.gz"


@pytest.mark.parametrize("name", ["images/C0001/t1.nii.gz", "images/C0001/t2.nii.gz", "masks/C0001.nii.gz"])
def test_damage_to_it_is_named(former: Path, name: str) -> None:
    content = bytearray((former / name).read_bytes())
    content[40] ^= 1
    (former / name).write_bytes(content)
    assert [(each.code, each.subject) for each in verify_release(former).findings] == [("file-changed", name)]
    volume = read_volume(FORMER / name)
    replace_file(former, name, encode(np.asarray(volume.data), oblique_affine(spacing=(0.5, 0.6, 4.1))))
    assert [(each.code, each.subject) for each in verify_release(former).findings] == [("grid-mismatch", "C0001")]


def test_a_case_without_its_files_and_files_without_a_case(former: Path) -> None:
    rewrite(former, lambda value: value["cases"][0].update(case="C0008"))
    found = {(each.code, each.subject) for each in verify_release(former).findings}
    assert {("case-incomplete", "C0008"), ("file-without-case", "masks/C0001.nii.gz")} <= found
    assert ("file-without-case", "images/C0001/t1.nii.gz") in found


def test_fields_of_the_next_schema_are_none_of_its_own(former: Path) -> None:
    rewrite(former, lambda value: value.update(roles=[]))
    assert ("manifest-shape", "manifest.json") in {
        (each.code, each.subject) for each in verify_release(former).findings
    }
    value = json.loads((FORMER / "manifest.json").read_bytes())
    assert "roles" not in value
