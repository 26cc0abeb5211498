"""The script that is shipped with a release: nnU-Net's layout and Slicer's segmentations, by the standard library."""

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from datasets.formats.nifti import read_mask, read_volume, write_mask
from datasets.image.mask import Mask
from datasets.release.build import ReleaseRole, build_release
from datasets.release.describing import convert
from datasets.release.verify import verify_release
from tests.datasets.release.samples import CODES, SETTINGS, files_of, sample_path, write_case

SCRIPT = Path(convert.__file__)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cases with labels 2 and 5, the last without the optional image."""
    folder = tmp_path_factory.mktemp("labelled")
    cases = []
    for number in (1, 2, 3):
        case = write_case(folder, number)
        mask = read_mask(case.mask)
        data = mask.data.copy()
        data[data == 1] = 2
        data[1, 2, 1] = 5
        write_mask(case.mask, Mask(data, mask.grid))
        cases.append(replace(case, sources={}))
    cases[2] = replace(cases[2], images={"t2": cases[2].images["t2"]})
    roles = (ReleaseRole("t1", "T1", "t1", is_required=False), ReleaseRole("t2", "T2 fat-saturated", "t2-fs"))
    settings = replace(SETTINGS, labels={2: "Tumour", 5: "Oedema\\cyst"}, roles=roles)
    return build_release(cases, settings, folder / "releases").folder


def _run(release: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """As a stranger would: a Python without anything installed, in the release's folder."""
    command = [sys.executable, "-I", "-S", "convert.py", *arguments]
    return subprocess.run(command, cwd=release, capture_output=True, text=True, check=False)


def test_it_is_shipped_as_it_is(release: Path) -> None:
    assert (release / "convert.py").read_bytes() == SCRIPT.read_bytes()


def test_it_needs_the_standard_library_alone_and_an_old_python() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert imported <= sys.stdlib_module_names
    assert not any(
        isinstance(node, ast.Call) and any(key.arg == "strict" for key in node.keywords) for node in ast.walk(tree)
    )


def test_nnu_net_s_layout(release: Path, tmp_path: Path) -> None:
    done = _run(release, "nnunet", str(tmp_path / "raw"), "--number", "7")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "raw" / "Dataset007_ThighTumours"
    assert done.stdout.strip() == str(folder)
    dataset = json.loads((folder / "dataset.json").read_text())
    assert dataset["channel_names"] == {"0": "T2 fat-saturated"}, "the optional image is none of every case"
    assert dataset["labels"] == {"background": 0, "Tumour": 1, "Oedema\\cyst": 2}
    assert (dataset["numTraining"], dataset["file_ending"]) == (3, ".nii.gz")
    assert {path.name for path in (folder / "imagesTr").iterdir()} == {f"{code}_0000.nii.gz" for code in CODES[:3]}
    for code in CODES[:3]:
        original = nib.load(release / f"{code.replace('_', '/')}/anat/{code}_dseg.nii.gz")
        mask = nib.load(folder / "labelsTr" / f"{code}.nii.gz")
        wanted = np.select([original.get_fdata() == 2, original.get_fdata() == 5], [1, 2])
        np.testing.assert_array_equal(mask.get_fdata(), wanted)
        np.testing.assert_array_equal(mask.affine, original.affine)
    folds = json.loads((folder / "splits_final.json").read_text())
    assert sorted(code for fold in folds for code in fold["val"]) == sorted(CODES[:3])
    assert all(set(fold["train"]) | set(fold["val"]) == set(CODES[:3]) for fold in folds)
    assert not any(set(fold["train"]) & set(fold["val"]) for fold in folds)


def test_masks_that_nnu_net_takes_as_they_are_are_copied(sound_release: Path, tmp_path: Path) -> None:
    convert.main(["nnunet", str(tmp_path)], home=sound_release)
    folder = tmp_path / "Dataset001_ThighTumours"
    for code in CODES:
        assert (folder / f"labelsTr/{code}.nii.gz").read_bytes() == (
            sound_release / sample_path(code, "mask")
        ).read_bytes()
        assert (folder / f"imagesTr/{code}_0001.nii.gz").read_bytes() == (
            sound_release / sample_path(code, "t2")
        ).read_bytes()


def test_a_ct_is_named_so_that_nnu_net_normalises_it_as_one(tmp_path: Path) -> None:
    roles = (ReleaseRole("t1", "CT of the limb", "ct-ce"), ReleaseRole("t2", "T2", "t2"))
    release = build_release([write_case(tmp_path, 1)], replace(SETTINGS, roles=roles), tmp_path / "out").folder
    convert.main(["nnunet", str(tmp_path / "raw")], home=release)
    dataset = json.loads((tmp_path / "raw" / "Dataset001_ThighTumours" / "dataset.json").read_text())
    assert dataset["channel_names"] == {"0": "CT", "1": "T2"}


def test_slicer_s_segmentations(release: Path, tmp_path: Path) -> None:
    """SimpleITK reads voxels, names and, on oblique grids, the same places as of the NIfTI mask."""
    done = _run(release, "slicer", str(tmp_path / "slicer"))
    assert done.returncode == 0, done.stderr
    for code in CODES[:3]:
        found = SimpleITK.ReadImage(str(tmp_path / "slicer" / f"{code}.seg.nrrd"))
        wanted = SimpleITK.ReadImage(str(release / f"{code.replace('_', '/')}/anat/{code}_dseg.nii.gz"))
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(found), SimpleITK.GetArrayFromImage(wanted))
        for place in ("GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(found, place)(), getattr(wanted, place)(), atol=1e-5)
        segments = {
            found.GetMetaData(f"Segment{at}_Name"): found.GetMetaData(f"Segment{at}_LabelValue") for at in (0, 1)
        }
        assert segments == {"Tumour": "2", "Oedema\\cyst": "5"}


def test_the_same_release_gives_the_same_files(release: Path, tmp_path: Path) -> None:
    for layout in ("nnunet", "slicer"):
        for name in ("one", "two"):
            convert.main([layout, str(tmp_path / layout / name)], home=release)
        assert files_of(tmp_path / layout / "one") == files_of(tmp_path / layout / "two")


def test_the_release_still_verifies(release: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(release, tmp_path / release.name))
    assert _run(copy, "nnunet", "../raw").returncode == 0
    assert _run(copy, "slicer", "../slicer").returncode == 0
    assert verify_release(copy).is_sound


@pytest.mark.parametrize(
    "arguments", [["nnunet", "inside"], ["slicer", "."], ["nifti", "../out"], ["nnunet", "../out", "--number", "0"]]
)
def test_wrong_words_write_nothing(release: Path, arguments: list[str]) -> None:
    before = files_of(release.parent)
    done = _run(release, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert files_of(release.parent) == before


def test_what_is_there_is_not_overwritten(release: Path, tmp_path: Path) -> None:
    (tmp_path / "slicer").mkdir()
    (tmp_path / "slicer" / "mine.txt").write_text("mine")
    done = _run(release, "slicer", str(tmp_path / "slicer"))
    assert (done.returncode, files_of(tmp_path)) == (1, {"slicer/mine.txt": b"mine"})
    assert "not empty" in done.stderr


def test_a_mask_that_is_none_is_named(release: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(release, tmp_path / release.name))
    mask = copy / f"{CODES[0].replace('_', '/')}/anat/{CODES[0]}_dseg.nii.gz"
    image = read_volume(mask)
    nib.save(nib.Nifti1Image(image.data.astype(np.float32), image.grid.affine), mask)
    done = _run(copy, "slicer", str(tmp_path / "slicer"))
    assert done.returncode == 1
    assert f"{CODES[0]}_dseg.nii.gz is not a mask" in done.stderr
