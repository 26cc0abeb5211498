"""That nobody withdrawn is in a version: by voxels, whatever the file, the name or the schema."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume, write_mask, write_volume
from datasets.release.build import build_release
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.correcting.absence import Absence, absence_from, require_absent, sought_in
from datasets.release.correcting.held_volumes import volume_of_file, volumes_of_case
from datasets.release.correcting.tombstone import paths_of, tombstone
from datasets.release.release_case import ReleaseCase
from tests.datasets.release.samples import CODES, SETTINGS, sample_path, write_case

NEXT = replace(SETTINGS, version="1.2.1", withdrawn=(CODES[0],))


@pytest.fixture
def cases(tmp_path: Path) -> list[ReleaseCase]:
    """A case that is withdrawn, another patient's, and one whose mask is empty, as the first one's is."""
    return [write_case(tmp_path, 1, empty=True), write_case(tmp_path, 2), write_case(tmp_path, 4, empty=True)]


def _absence(tmp_path: Path, before: list[ReleaseCase], now: list[ReleaseCase], gone: str = CODES[0]) -> Absence:
    old = build_release(before, SETTINGS, tmp_path / "out").folder
    new = build_release(now, replace(NEXT, withdrawn=(gone,)), tmp_path / "out").folder
    sought = sought_in([OpenedRelease.in_folder(old)], {gone})
    return absence_from(OpenedRelease.in_folder(new).manifest, sought)  # type: ignore[arg-type]


def test_a_version_without_the_patient_is_proven_and_blank_masks_are_left_out(
    tmp_path: Path, cases: list[ReleaseCase]
) -> None:
    found = _absence(tmp_path, cases, cases[1:])
    require_absent(found)
    assert found.is_proven
    assert [volume.name for volume in found.blank] == ["mask"]
    value = json.loads(found.encode())
    assert (value["proven"], value["withdrawn"], value["volumes_of_this_version"]) == (True, [CODES[0]], 6)
    assert [each["volume"] for each in value["looked_for"]] == ["t1", "t2"]
    assert "2 volume(s) of 1 withdrawn case(s)" in found.sentence
    assert "1 that are zero everywhere were left out" in found.sentence
    assert found.encode() == _absence(tmp_path, cases, cases[1:]).encode()


def test_an_image_that_another_patients_case_holds_is_found_whatever_its_file_is(
    tmp_path: Path, cases: list[ReleaseCase]
) -> None:
    """Written with another header, on another grid, and under another role."""
    taken, other = read_volume(cases[0].images["t1"]), cases[1]
    moved = taken.grid.affine.copy()
    moved[:3, 3] += 5.0
    grid = replace(taken.grid, affine=moved)
    copy, t1, mask = (tmp_path / f"copied-{name}.nii.gz" for name in ("t2", "t1", "mask"))
    write_volume(copy, replace(taken, grid=grid))
    write_volume(t1, replace(taken, data=taken.data + 1, grid=grid))
    drawn = np.zeros(grid.shape, np.uint8)
    drawn[2, 2, 2] = 1
    write_mask(mask, replace(read_mask(cases[0].mask), data=drawn, grid=grid))
    thief = replace(other, images={"t1": t1, "t2": copy}, mask=mask, sources={})
    found = _absence(tmp_path, cases, [thief])
    assert [str(met) for met in found.met] == [f"{other.code} (t2) is {CODES[0]} (t1)"]
    with pytest.raises(RejectedInput, match="withdrawn-voxels") as refused:
        require_absent(found)
    assert other.code in refused.value.message


def test_a_mask_that_was_copied_is_found(tmp_path: Path) -> None:
    cases = [write_case(tmp_path, number) for number in (1, 1)]
    other = write_case(tmp_path / "other", 2)
    copied = replace(cases[0], code=CODES[1], images={}, sources={})
    images = {role: tmp_path / f"{role}-of-another.nii.gz" for role in ("t1", "t2")}
    for role, path in images.items():
        volume = read_volume(cases[0].images[role])
        write_volume(path, replace(volume, data=volume.data * 2 + 3))
    found = _absence(tmp_path, [cases[0], other], [replace(copied, images=images)])
    assert [(met.here.name, met.withdrawn.name) for met in found.met] == [("mask", "mask")]


def test_the_case_itself_under_its_code_is_found(tmp_path: Path, cases: list[ReleaseCase]) -> None:
    old = build_release(cases, SETTINGS, tmp_path / "out").folder
    opened = OpenedRelease.in_folder(old)
    found = absence_from(opened.manifest, sought_in([opened], {CODES[0]}))  # type: ignore[arg-type]
    assert {met.here.name for met in found.met} == {"t1", "t2", "mask"}


def test_a_version_that_cannot_be_read_leaves_the_proof_open(tmp_path: Path) -> None:
    [folder] = (Path(__file__).parents[1] / "schema_2").iterdir()
    copy = tmp_path / "damaged"
    shutil.copytree(folder, copy)
    opened = OpenedRelease.in_folder(copy)
    case = opened.manifest.cases[0]
    (copy / case.mask_path).write_bytes(b"no gzip")
    sought = sought_in([opened], {case.case})
    assert sought.unread == ("thigh-tumours-1.2.0",)


def test_former_schemas_give_the_digests_of_the_newest(tmp_path: Path) -> None:
    """Their files are encoded otherwise; the same numbers have the same digest, and blank masks are known as such."""
    for schema in (1, 2):
        [folder] = (Path(__file__).parents[1] / f"schema_{schema}").iterdir()
        opened = OpenedRelease.in_folder(folder)
        for case in opened.manifest.cases:
            volumes = {volume.name: volume for volume in volumes_of_case(opened, case)}
            assert volumes["mask"].is_blank == case.mask_empty
            for name, path in {**case.image_paths, "mask": case.mask_path}.items():
                here = {"place": "", "case": case.case, "name": name}
                assert volumes[name].voxels == volume_of_file(folder / path, **here).voxels


def test_the_digests_of_a_manifest_are_those_of_its_files(sound_release: Path) -> None:
    opened = OpenedRelease.in_folder(sound_release)
    for case in opened.manifest.cases:
        listed, read = (list(volumes_of_case(opened, case, anew=anew)) for anew in (False, True))
        files = [volume_of_file(sound_release / path, place=listed[0].place, case=case.case, name=name)
                 for name, path in {**case.image_paths, "mask": case.mask_path}.items()]  # fmt: skip
        assert listed == read == files


def test_a_tombstone_names_files_and_the_day_and_no_reason(sound_release: Path) -> None:
    manifest = OpenedRelease.in_folder(sound_release).manifest
    content = tombstone(manifest, {CODES[1]: date(2026, 5, 31), "sub-0099_ses-1": date(2026, 5, 31)})
    assert content is not None
    value = json.loads(content)
    assert [(one["case"], one["date"]) for one in value["withdrawn"]] == [(CODES[1], "2026-05-31")]
    files = {one["path"]: one["sha256"] for one in value["withdrawn"][0]["files"]}
    assert sample_path(CODES[1], "t1") in files
    assert set(files) == set(paths_of(manifest.cases[1]))
    assert tombstone(manifest, {}) is None
    assert content == tombstone(manifest, {CODES[1]: date(2026, 5, 31)})


@pytest.mark.parametrize("schema", [1, 2])
def test_a_tombstone_of_a_former_schema_names_its_files(schema: int) -> None:
    [folder] = (Path(__file__).parents[1] / f"schema_{schema}").iterdir()
    manifest = OpenedRelease.in_folder(folder).manifest
    content = tombstone(manifest, {manifest.cases[0].case: date(2026, 5, 31)})
    assert content is not None
    files = [one["path"] for one in json.loads(content)["withdrawn"][0]["files"]]
    assert len(files) == 3
    assert all((folder / path).is_file() for path in files)
