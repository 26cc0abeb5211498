"""Comparing two versions of a release: which cases came and left, and what changed, in figures worked out by hand."""

import csv
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.errors import RejectedInput
from datasets.formats.nifti import encode, read_mask, read_volume, write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.release.build import ReleaseCase, build_release
from datasets.release.comparing.change_pictures import BEFORE, NOW
from datasets.release.comparing.changes import CaseChange, ImageFate, LeftCase, ReleaseComparison
from datasets.release.comparing.comparison import compare_releases
from datasets.release.comparing.report import comparison_files, summary
from datasets.study.case import QualityScore
from tests.datasets.release.samples import (
    CODES,
    SETTINGS,
    oblique_affine,
    replace_file,
    rewrite,
    sample_path,
    write_case,
    write_cases,
)

FORMER_1, FORMER_2 = (Path(__file__).parents[1] / f"schema_{number}" / "thigh-tumours-1.2.0" for number in (1, 2))


@dataclass(frozen=True)
class Compared:
    """Two versions, and what changed."""

    old: Path
    new: Path
    comparison: ReleaseComparison
    by_case: Mapping[str, CaseChange]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """A mask moved by a voxel, a case on another grid, an image with three other voxels, other words, another code."""
    folder = tmp_path_factory.mktemp("compared")
    old = build_release(write_cases(folder / "old"), SETTINGS, folder).folder
    cases = write_cases(folder / "new")
    settings = replace(SETTINGS, version="1.2.1", follows="1.2.0", withdrawn=(CODES[4],))
    made = [_moved_mask(cases[0]), _other_grid(cases[1]), _other_voxels(cases[2]), _other_words(cases[3])]
    made.append(write_case(folder / "new", 6))
    new = build_release(made, settings, folder).folder
    found = compare_releases(old, new)
    return Compared(old, new, found, {case.case: case for case in found.changed})


def _moved_mask(case: ReleaseCase) -> ReleaseCase:
    mask = read_mask(case.mask)
    write_mask(case.mask, Mask(np.roll(mask.data, 1, axis=0), mask.grid))
    return replace(case, sources={})


def _other_grid(case: ReleaseCase) -> ReleaseCase:
    affine = oblique_affine()
    affine[2, 3] += 2.5
    for path in case.images.values():
        volume = read_volume(path)
        write_volume(path, Volume(volume.data, Grid(volume.grid.shape, affine)))
    mask = read_mask(case.mask)
    write_mask(case.mask, Mask(mask.data, Grid(mask.grid.shape, affine)))
    return replace(case, sources={})


def _other_voxels(case: ReleaseCase) -> ReleaseCase:
    volume = read_volume(case.images["t1"])
    data = np.array(volume.data)
    data[0, 0, 2], data[5, 1, 2], data[3, 3, 0] = data[0, 0, 2] + 7, data[5, 1, 2] - 30, data[3, 3, 0] + 1
    write_volume(case.images["t1"], Volume(data, volume.grid))
    return replace(case, sources={})


def _other_words(case: ReleaseCase) -> ReleaseCase:
    return replace(
        case,
        code="sub-0007_ses-1",
        former_codes=(case.code,),
        tissue_type="nerve",
        quality_score=QualityScore.EXCELLENT,
        unannotated_slices=(),
        provenance={"verdict": "approve", "stages": ["drawing", "review", "second review"]},
    )


def test_cases_that_came_left_and_changed(compared: Compared) -> None:
    found = compared.comparison
    assert found.came == ("sub-0006_ses-1",)
    assert found.left == (LeftCase(CODES[4], is_withdrawn=True),)
    assert list(compared.by_case) == [*CODES[:3], "sub-0007_ses-1"]
    assert found.findings == ()
    assert found.same == 0
    assert (found.old.version, found.new.version, found.old.cases, found.new.cases) == ("1.2.0", "1.2.1", 5, 5)
    assert summary(found) == (
        "thigh-tumours 1.2.0 → 1.2.1, cases: 4 changed, 1 new, 1 left (1 withdrawn), 1 called otherwise."
    )


def test_a_mask_that_moved_by_one_voxel(compared: Compared) -> None:
    """18 voxels of 0.5 x 0.6 x 4 mm; six of them left, six came, and the farthest lies one voxel away."""
    case = compared.by_case[CODES[0]]
    [mask] = case.masks
    assert (mask.label, mask.came, mask.left, mask.slices) == ("Tumour", 6, 6, (1, 2))
    assert (mask.old_ml, mask.new_ml) == (pytest.approx(0.0216), pytest.approx(0.0216))
    assert mask.changed_ml == pytest.approx(12 * 1.2 / 1000)
    assert mask.dice == pytest.approx(2 * 12 / 36, abs=1e-6)
    assert mask.largest_mm == pytest.approx(0.5, abs=1e-4)
    assert (case.grid, case.images, case.fields, case.is_renamed) == ("", (), (), False)
    [picture] = case.pictures
    assert picture.name == f"pictures/{CODES[0]}-label-1.png"
    assert picture.caption == "Tumour, slice 1: before solid, now dashed"
    pixels = np.array(Image.open(io.BytesIO(picture.png)).convert("RGB")).reshape(-1, 3).tolist()
    assert {BEFORE, NOW} <= set(map(tuple, pixels))


def test_a_case_on_another_grid(compared: Compared) -> None:
    case = compared.by_case[CODES[1]]
    assert "2.5 mm towards the head" in case.grid
    assert [(image.role, image.fate, image.voxels) for image in case.images] == [
        ("t1", ImageFate.MOVED, None),
        ("t2", ImageFate.MOVED, None),
    ]
    [mask] = case.masks
    assert (mask.dice, mask.came, mask.old_ml, mask.new_ml) == (None, None, 0.0216, 0.0216)
    assert [each.name for each in case.pictures] == [
        f"pictures/{CODES[1]}-grid-before.png",
        f"pictures/{CODES[1]}-grid-now.png",
    ]


def test_an_image_with_other_voxels(compared: Compared) -> None:
    case = compared.by_case[CODES[2]]
    [image] = case.images
    assert (image.role, image.fate, image.voxels, image.largest) == ("t1", ImageFate.CHANGED, 3, 30.0)
    assert image.share == pytest.approx(3 / (10 * 6 * 4), abs=1e-6)
    assert (case.masks, case.grid) == ((), "")
    assert [each.caption for each in case.pictures] == ["t1, slice 2: before", "t1, slice 2: now"]
    assert case.pictures[0].png != case.pictures[1].png


def test_a_case_of_another_code_with_other_words(compared: Compared) -> None:
    case = compared.by_case["sub-0007_ses-1"]
    assert (case.old_case, case.is_renamed, case.is_other) == (CODES[3], True, True)
    assert {each.name: (each.old, each.new) for each in case.fields} == {
        "tissue type": ("fat", "nerve"),
        "quality score": ("sufficient", "excellent"),
        "slices that nobody drew on": ("0, 3", ""),
        "provenance: stages": ("drawing, review", "drawing, review, second review"),
    }
    assert (case.masks, case.images, case.pictures) == ((), (), ())


def test_a_release_compared_with_itself(compared: Compared) -> None:
    found = compare_releases(compared.old, compared.old)
    assert (found.came, found.left, found.changed, found.fields, found.same) == ((), (), (), (), 5)
    assert summary(found).endswith(", cases: 5 the same.")


def test_the_other_way_round(compared: Compared) -> None:
    found = compare_releases(compared.new, compared.old)
    assert (found.came, [each.case for each in found.left]) == ((CODES[4],), ["sub-0006_ses-1"])
    by_case = {case.case: case for case in found.changed}
    [mask] = by_case[CODES[0]].masks
    assert (mask.came, mask.left, mask.dice) == (6, 6, compared.by_case[CODES[0]].masks[0].dice)
    assert "2.5 mm towards the feet" in by_case[CODES[1]].grid
    assert by_case[CODES[3]].old_case == "sub-0007_ses-1"  # by its images: nothing else says so


def test_the_report_is_the_same_bytes_each_time_and_says_what_the_document_says(
    compared: Compared, tmp_path: Path
) -> None:
    files = comparison_files(compared.comparison)
    for name in ("old", "new"):
        shutil.copytree(getattr(compared, name), tmp_path / "elsewhere" / name)
    assert comparison_files(compare_releases(tmp_path / "elsewhere/old", tmp_path / "elsewhere/new")) == files
    document = json.loads(files["comparison.json"])
    assert document["left"] == [{"case": CODES[4], "is_withdrawn": True}]
    assert [case["case"] for case in document["changed"]] == list(compared.by_case)
    named = {each["name"] for case in document["changed"] for each in case["pictures"]}
    assert named == {name for name in files if name.startswith("pictures/")}
    assert len(named) == 5
    page = files["comparison.html"].decode()
    assert all(f'src="{name}"' in page for name in named)
    assert "solid and orange" in page
    assert "http" not in page
    assert str(tmp_path) not in page
    masks = list(csv.DictReader(io.StringIO(files["masks.csv"].decode())))
    assert [(row["case"], row["Dice"], row["voxels that came"]) for row in masks] == [
        (CODES[0], "0.6667", "6"),
        (CODES[1], "", ""),
    ]
    cases = {row["case"]: row["what happened"] for row in csv.DictReader(io.StringIO(files["cases.csv"].decode()))}
    assert cases[CODES[4]] == "left, withdrawn"
    assert cases[CODES[1]] == "grid, mask, images"
    assert cases["sub-0007_ses-1"] == "renamed, words"


def test_several_labels_each_have_their_row_and_picture(tmp_path: Path) -> None:
    labels = {1: "Tumour", 2: "Oedema", 3: "Cyst"}
    versions = []
    for number, version in enumerate(("1.0.0", "1.1.0")):
        case = write_case(tmp_path / version, 1)
        mask = read_mask(case.mask)
        data = mask.data.copy()
        data[5:7, 0:2, 0 if number else 3] = 2
        data[7, 5, 0] = 3
        write_mask(case.mask, Mask(data, mask.grid))
        settings = replace(SETTINGS, version=version, labels=labels)
        versions.append(build_release([replace(case, sources={})], settings, tmp_path).folder)
    [case_change] = compare_releases(*versions).changed
    [mask_change] = case_change.masks
    assert (mask_change.label, mask_change.came, mask_change.left, mask_change.dice) == ("Oedema", 4, 4, 0.0)
    assert mask_change.largest_mm == pytest.approx(12.0, abs=1e-3)
    assert [each.name for each in case_change.pictures] == [f"pictures/{CODES[0]}-label-2.png"]


def test_a_mask_that_became_empty_has_no_distance(tmp_path: Path) -> None:
    versions = []
    for empty, version in ((False, "1.0.0"), (True, "1.1.0")):
        case = write_case(tmp_path / version, 1, empty=empty)
        versions.append(build_release([case], replace(SETTINGS, version=version), tmp_path).folder)
    [case_change] = compare_releases(*versions).changed
    [mask] = case_change.masks
    assert (mask.dice, mask.largest_mm, mask.came, mask.left, mask.new_ml) == (0.0, None, 0, 18, 0.0)
    assert "quality score" in {each.name for each in case_change.fields}


def test_between_the_schemas(tmp_path: Path) -> None:
    """The three cases of the former schemas are the same phantoms; in schema 3 they are called otherwise."""
    found = compare_releases(FORMER_1, FORMER_2)
    assert (found.came, found.left, found.same) == ((), (), 3)
    assert {each.name for each in found.fields} >= {"schema"}
    cases = []
    for number, code in enumerate(("C0001", "C0002", "C0005"), start=1):
        case = write_case(tmp_path / "sources", number)
        images = {role: FORMER_2 / "cases" / code / f"{role}.nii.gz" for role in case.images}
        former = () if number == 3 else (code,)
        cases.append(
            replace(
                case,
                **{"images": images, "mask": FORMER_2 / "cases" / code / "mask.nii.gz"},
                **{"sources": {}, "former_codes": former, "empty_mask_approved": True, "unannotated_slices": ()},
            )
        )
    new = build_release(cases, replace(SETTINGS, version="2.0.0"), tmp_path).folder
    for former in (FORMER_1, FORMER_2):
        found = compare_releases(former, new)
        assert (found.came, found.left, found.findings) == ((), (), ())
        assert [(case.old_case, case.case) for case in found.changed] == [
            ("C0001", CODES[0]),
            ("C0002", CODES[1]),
            ("C0005", CODES[2]),
        ]
        assert all(not (case.masks or case.images or case.grid) for case in found.changed)


def test_a_damaged_file_is_a_finding_and_the_rest_goes_on(compared: Compared, tmp_path: Path) -> None:
    new = Path(shutil.copytree(compared.new, tmp_path / "new"))
    path = new / sample_path(CODES[0], "mask")
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    (new / sample_path(CODES[1], "t2")).unlink()
    found = compare_releases(compared.old, new)
    assert [(each.code, each.subject) for each in found.findings] == [
        ("file-changed", CODES[0]),
        ("file-missing", CODES[1]),
    ]
    assert [case.case for case in found.changed] == [CODES[2], "sub-0007_ses-1"]
    page = comparison_files(found)["comparison.html"].decode()
    assert "could not be compared" in page


def test_a_link_is_not_followed(compared: Compared, tmp_path: Path) -> None:
    new = Path(shutil.copytree(compared.new, tmp_path / "new"))
    path = new / sample_path(CODES[0], "mask")
    path.rename(tmp_path / "mask")
    path.symlink_to(tmp_path / "mask")
    assert [each.subject for each in compare_releases(compared.old, new).findings] == [CODES[0]]


@pytest.mark.parametrize("what", ["absent", "empty", "changed"])
def test_a_folder_of_no_release_is_refused(compared: Compared, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "new"
    if what == "empty":
        folder.mkdir()
    elif what == "changed":
        shutil.copytree(compared.new, folder)
        rewrite(folder, lambda value: value["cases"][0].update(tissue_type="x"), honest=False)
    for pair in ((compared.old, folder), (folder, compared.old)):
        with pytest.raises(RejectedInput, match="release-missing" if what == "absent" else "release-unsound"):
            compare_releases(*pair)


def test_a_record_that_lies_outside_is_not_read(compared: Compared, tmp_path: Path) -> None:
    new = Path(shutil.copytree(compared.new, tmp_path / "new"))
    (tmp_path / "secret.json").write_text('{"Maskloop": {"provenance": {"verdict": "secret"}}}')
    rewrite(new, lambda value: [case.update(record="../secret.json") for case in value["cases"]])
    assert b"secret" not in comparison_files(compare_releases(compared.old, new))["comparison.json"]


def test_names_from_outside_are_shown_as_text_and_reach_no_path(compared: Compared, tmp_path: Path) -> None:
    """A forged manifest with markup in a label and a path as a code."""
    folders = []
    for name in ("old", "new"):
        folder = Path(shutil.copytree(getattr(compared, name), tmp_path / name))
        rewrite(folder, lambda value: value["labels"][0].update(name="<script>alert(1)</script>"))
        rewrite(folder, lambda value: value["cases"][0].update(case="../../<b>x"))
        folders.append(folder)
    files = comparison_files(compare_releases(*folders))
    assert "<script>" not in files["comparison.html"].decode()
    assert "<b>x" not in files["comparison.html"].decode()
    assert all(".." not in name for name in files)
    assert "pictures/case-1-label-1.png" in files


def test_the_same_numbers_stored_otherwise_are_no_change(compared: Compared, tmp_path: Path) -> None:
    new = Path(shutil.copytree(compared.old, tmp_path / "new"))
    path = sample_path(CODES[0], "t1")
    volume = read_volume(new / path)
    replace_file(new, path, encode(np.asarray(volume.data, np.float32), volume.grid.affine))
    assert compare_releases(compared.old, new).changed == ()
