"""A release is a tree of BIDS derivatives: where its files lie, what stands beside them, and BIDS's own validator."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.release.build import ReleaseRole, build_release
from datasets.release.paths import IGNORED, case_paths, image_name, is_binary
from datasets.release.records import RECORD_SCHEMA, case_record, image_sidecar
from datasets.study.grey_values import GreyValues
from tests.datasets.release.samples import SETTINGS, files_of, sample_path, write_case, write_cases

CODE = "sub-0012_ses-3"
KINDS = {
    "t1": ("t1", "anat", "desc-t1_T1w"),
    "t2-fs": ("t2-fs", "anat", "desc-t2fs_T2w"),
    "pd": ("pd", "anat", "desc-pd_PDw"),
    "flair": ("flair", "anat", "desc-flair_FLAIR"),
    "t2star": ("t2star", "anat", "desc-t2star_T2starw"),
    "adc": ("mr", "anat", "desc-adc_mr"),
    "ct": ("ct", "anat", "desc-ct_ct"),
    "pet": ("pet", "pet", "desc-pet_pet"),
}


@pytest.mark.parametrize(("role", "kind", "folder", "end"), [(role, *row) for role, row in KINDS.items()])
def test_an_image_lies_where_bids_looks_for_its_kind(role: str, kind: str, folder: str, end: str) -> None:
    paths = case_paths(CODE, {role: kind}, {1: "Tumour"})
    assert paths.images == {role: f"sub-0012/ses-3/{folder}/{CODE}_{end}.nii.gz"}
    assert paths.sidecar(role) == f"sub-0012/ses-3/{folder}/{CODE}_{end}.json"


def test_one_label_of_value_1_is_a_binary_mask_and_others_are_a_segmentation() -> None:
    mask = f"sub-0012/ses-3/anat/{CODE}_label-Tumour_mask"
    paths = case_paths(CODE, {"t1": "t1"}, {1: "Tumour"})
    assert (paths.mask, paths.record) == (f"{mask}.nii.gz", f"{mask}.json")
    for labels in ({2: "Tumour"}, {1: "Tumour", 2: "Oedema"}):
        assert not is_binary(labels)
        paths = case_paths(CODE, {"t1": "t1"}, labels)
        assert paths.mask == f"sub-0012/ses-3/anat/{CODE}_dseg.nii.gz"
        assert paths.record == f"sub-0012/ses-3/anat/{CODE}_dseg.json"
    assert case_paths(CODE, {}, {1: "腫瘍"}).mask.endswith("_label-lesion_mask.nii.gz")


def test_no_two_roles_of_a_case_share_a_file() -> None:
    kinds = {role: kind for role, (kind, _, _) in KINDS.items()}
    paths = case_paths(CODE, kinds, {1: "Tumour"})
    assert len({*paths.images.values(), paths.mask}) == len(kinds) + 1
    assert image_name("腫瘍", "t1") == "desc-image_T1w.nii.gz"


def test_sidecars_say_what_an_image_is_and_which_grid_it_is_on(tmp_path: Path) -> None:
    case = write_case(tmp_path, 1)
    assert image_sidecar(case, SETTINGS, "t1")["Description"] == "T1-weighted, on the grid of t2"
    assert image_sidecar(case, SETTINGS, "t2") == {"Description": "T2-weighted, drawn on", "SkullStripped": False}


def test_the_record_of_a_mask_says_how_it_came_about(tmp_path: Path) -> None:
    case = replace(write_case(tmp_path, 1), unannotated_slices=(3, 0))
    kinds = {role.name: role.kind for role in SETTINGS.roles}
    paths = case_paths(case.code, kinds, SETTINGS.labels)
    grey = {"t1": GreyValues((0.0,) * 7, (1.0,) * 7, ())}
    record = case_record(case, SETTINGS, paths=paths, sources={"b": "1" * 64, "a": "2" * 64}, grey_values=grey)
    assert record["Type"] == "Lesion"
    assert record["Sources"] == [f"bids::{sample_path(case.code, role)}" for role in ("t1", "t2")]
    assert record["SpatialReference"] == f"bids::{sample_path(case.code, 't2')}"
    assert record["Maskloop"] == {
        "schema": RECORD_SCHEMA,
        "case": "sub-0001_ses-1",
        "drawn_image": "t2",
        "labels": {"1": "Tumour"},
        "quality_score": "sufficient",
        "unannotated_slices": [0, 3],
        "grey_levels": [0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995],
        "grey_values": {"t1": {"image": [0.0] * 7, "inside": [1.0] * 7, "outside": []}},
        "provenance": {"verdict": "approve", "stages": ["drawing", "review"]},
        "sources": {"a": "2" * 64, "b": "1" * 64},
    }


def test_tables_of_a_release_name_each_patient_and_say_what_their_columns_mean(sound_release: Path) -> None:
    files = files_of(sound_release)
    assert files["participants.tsv"].decode().splitlines() == [
        *("participant_id\tcases", "sub-0001\t1", "sub-0002\t2", "sub-0003\t2")
    ]
    assert set(json.loads(files["participants.json"])) == {"Description", "participant_id", "cases"}
    description = json.loads(files["dataset_description.json"])
    assert (description["Name"], description["DatasetType"]) == ("thigh-tumours 1.2.0", "derivative")
    assert (description["License"], description["ReferencesAndLinks"]) == ("CC-BY-4.0", ["Nobody et al., 2024."])
    assert tuple(files[".bidsignore"].decode().split()) == IGNORED


def _validator() -> str:
    beside = Path(sys.executable).with_name("bids-validator-deno")
    found = str(beside) if beside.exists() else shutil.which("bids-validator-deno")
    if found is None:
        pytest.skip("NO bids-validator-deno IN THIS ENVIRONMENT: this test did not run.")
    return found


def _complaints(folder: Path) -> list[str]:
    """What the validator calls an error; its remarks on what else a dataset may have are none."""
    command = [_validator(), "--format", "json", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    issues = json.loads(result.stdout)["issues"]["issues"]
    errors = [
        f"{each['code']} {each.get('subCode', '')} {each.get('location', '')}"
        for each in issues
        if each["severity"] == "error"
    ]
    assert (result.returncode == 0) == (not errors)
    return errors


ALL_KINDS = tuple(ReleaseRole(role, role, kind, False) for role, (kind, _, _) in KINDS.items())


@pytest.mark.slow
@pytest.mark.parametrize("labels", [{1: "Tumour"}, {1: "Tumour", 2: "Oedema"}], ids=["mask", "segmentation"])
def test_the_validator_of_bids_has_nothing_to_say(tmp_path: Path, labels: dict[int, str]) -> None:
    cases = write_cases(tmp_path / "sources")
    image = cases[0].images["t1"]
    cases[0] = replace(cases[0], images={"t2": image} | {role.name: image for role in ALL_KINDS})
    roles = (SETTINGS.roles[1], *(role for role in ALL_KINDS))
    cases[1:] = [replace(case, images={"t1": case.images["t1"], "t2": case.images["t2"]}) for case in cases[1:]]
    settings = replace(SETTINGS, labels=labels, roles=roles)
    assert _complaints(build_release(cases, settings, tmp_path / "out").folder) == []


@pytest.mark.slow
def test_the_validator_of_bids_sees_a_file_that_is_none_of_its_tree(release: Path) -> None:
    (release / "sub-0001/ses-1/anat/notes.nii.gz").write_bytes(b"x")
    assert any("notes.nii.gz" in line for line in _complaints(release))
