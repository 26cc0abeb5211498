"""Releases of any images and labels: what the protocol names is what the folder holds."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume, write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.release.build import ReleaseCase, ReleaseRole, ReleaseSettings, build_release
from datasets.release.codes import case_code, patient_code
from datasets.release.manifest_parts import ProtocolEntry
from datasets.release.verify import verify_release
from tests.datasets.release.samples import oblique_affine

SETTINGS = ReleaseSettings(
    name="pet-ct-tumours",
    version="1.0.0",
    licence="CC0-1.0",
    labels={1: "Tumour", 2: "Oedema", 7: "Necrosis"},
    roles=(ReleaseRole("ct", "CT", "ct"), ReleaseRole("pet", "FDG-PET", "pet"), ReleaseRole("t1", "T1", "t1", False)),
    protocol=ProtocolEntry("pet-ct", 2, "a" * 64),
)
GRID = Grid((8, 6, 4), oblique_affine(spacing=(0.5, 0.5, 4.0), degrees=0.0))
"""A voxel is 1 microlitre."""


def _case(folder: Path, number: int, *roles: str) -> ReleaseCase:
    images = {}
    for role in roles:
        images[role] = folder / f"{number}-{role}.nii.gz"
        write_volume(images[role], Volume(np.full(GRID.shape, len(role) + number, np.float32), GRID))
    data = np.zeros(GRID.shape, np.uint8)
    data[1:5, 1:5, 1:3] = 2  # 32 voxels of oedema, 8 of them tumour, 1 of them necrosis
    data[2:4, 2:4, 1:3] = 1
    data[2, 2, 1] = 7
    mask = folder / f"{number}-mask.nii.gz"
    write_mask(mask, Mask(data, GRID, SETTINGS.labels))
    return ReleaseCase(
        code=case_code(patient_code(number), 1),
        tissue_type="fat",
        anatomical_site="thigh",
        images=images,
        drawn_role="ct",
        mask=mask,
    )


def _path(patient: str, name: str) -> str:
    kind, _, end = name.partition("/")
    return f"{patient}/ses-1/{kind}/{patient}_ses-1_{end}.nii.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release of two cases, the second without the optional image."""
    cases = [_case(tmp_path, 1, "t1", "pet", "ct"), _case(tmp_path, 2, "ct", "pet")]
    return build_release(cases, SETTINGS, tmp_path / "out").folder


def test_files_are_named_by_role_and_the_mask_keeps_every_label(folder: Path) -> None:
    assert verify_release(folder).is_sound
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.nii.gz")} == {
        *(_path("sub-0001", name) for name in ("anat/desc-ct_ct", "pet/desc-pet_pet", "anat/desc-t1_T1w", "anat/dseg")),
        *(_path("sub-0002", name) for name in ("anat/desc-ct_ct", "pet/desc-pet_pet", "anat/dseg")),
    }
    assert read_volume(folder / _path("sub-0001", "pet/desc-pet_pet")).data.max() == 4
    data = read_mask(folder / _path("sub-0001", "anat/dseg"), labels=SETTINGS.labels).data
    assert np.bincount(data.ravel(), minlength=8).tolist() == [160, 7, 24, 0, 0, 0, 0, 1]


def test_the_manifest_names_labels_roles_protocol_and_what_is_missing(folder: Path) -> None:
    value = json.loads((folder / "manifest.json").read_bytes())
    assert value["schema"] == "maskloop-release/3"
    assert value["protocol"] == {"name": "pet-ct", "version": 2, "digest": "a" * 64}
    assert value["labels"] == [
        {"value": 1, "name": "Tumour"},
        {"value": 2, "name": "Oedema"},
        {"value": 7, "name": "Necrosis"},
    ]
    assert value["roles"] == [
        {"name": "ct", "title": "CT", "kind": "ct", "drawn": True},
        {"name": "pet", "title": "FDG-PET", "kind": "pet", "drawn": False},
        {"name": "t1", "title": "T1", "kind": "t1", "drawn": False},
    ]
    first, second = value["cases"]
    assert first["images"] == {
        "ct": _path("sub-0001", "anat/desc-ct_ct"),
        "pet": _path("sub-0001", "pet/desc-pet_pet"),
        "t1": _path("sub-0001", "anat/desc-t1_T1w"),
    }
    assert (first["missing_images"], first["drawn_role"]) == ([], "ct")
    assert (set(second["images"]), second["missing_images"]) == ({"ct", "pet"}, ["t1"])
    assert first["volume_ml"] == 0.032
    assert first["label_volumes_ml"] == {"Tumour": 0.007, "Oedema": 0.024, "Necrosis": 0.001}
    assert set(second["voxels"]) == {"ct", "pet", "mask"}


def test_the_labels_have_a_table_and_each_mask_its_record(folder: Path) -> None:
    table = (folder / "dseg.tsv").read_text()
    assert table == "index\tname\n1\tTumour\n2\tOedema\n7\tNecrosis\n"
    record = json.loads((folder / _path("sub-0002", "anat/dseg").replace(".nii.gz", ".json")).read_bytes())
    assert record["Maskloop"]["labels"] == {"1": "Tumour", "2": "Oedema", "7": "Necrosis"}
    assert set(record["Maskloop"]["sources"]) == {"ct_file", "pet_file", "mask_file"}


def test_the_table_has_a_volume_for_each_label_and_names_missing_images(folder: Path) -> None:
    with (folder / "cases.csv").open() as stream:
        first, second = csv.DictReader(stream)
    volumes = {name: first[name] for name in first if name.startswith("volume")}
    assert volumes == {
        "volume_ml": "0.032",
        "volume_Tumour_ml": "0.007",
        "volume_Oedema_ml": "0.024",
        "volume_Necrosis_ml": "0.001",
    }
    assert (first["missing_images"], second["missing_images"], second["drawn_role"]) == ("", "t1", "ct")


def test_a_missing_image_is_a_refusal_where_the_role_is_required(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput, match=r"Case sub-0001_ses-1.*pet.*case-image-missing"):
        build_release([_case(tmp_path, 1, "ct", "t1")], SETTINGS, tmp_path / "out")
    required = replace(SETTINGS, roles=tuple(replace(role, is_required=True) for role in SETTINGS.roles))
    with pytest.raises(RejectedInput, match="case-image-missing"):
        build_release([_case(tmp_path, 2, "ct", "pet")], required, tmp_path / "out")
    assert not (tmp_path / "out").exists()
