"""nnU-Net's dataset of a release: consecutive labels, channels by role, folds beside it; its own check at the end."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.orientation import as_ras
from datasets.release.build import build_release
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions, Missing
from datasets.release.exports.source import ReleaseSource, open_release
from tests.datasets.release.exports.conftest import Export
from tests.datasets.release.exports.phantoms import SETTINGS, WITHOUT_CT, write_cases
from tests.datasets.release.samples import SETTINGS as ONE_LABEL
from tests.datasets.release.samples import write_cases as write_others

_ENVIRONMENT = "MASKLOOP_NNUNET"

CHECK = """
import sys
from pathlib import Path
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
for folder in sorted((Path(sys.argv[1]) / "raw").iterdir()):
    verify_dataset_integrity(str(folder), num_processes=1)
print("sound")
"""


def _dataset(folder: Path) -> Path:
    [dataset] = (folder / "raw").iterdir()
    return dataset


def test_what_nnunet_reads(export: Export, source: ReleaseSource) -> None:
    folder = export("nnunet", missing=Missing.LEAVE_CASE_OUT, number=7, dataset_name="Phantoms")
    dataset = _dataset(folder)
    assert dataset.name == "Dataset007_Phantoms"
    described = json.loads((dataset / "dataset.json").read_text())
    assert described["channel_names"] == {"0": "t1", "1": "t2", "2": "CT"}
    assert described["labels"] == {"background": 0, "Tumour": 1, "Oedema": 2}
    assert described["numTraining"] == 3
    assert described["file_ending"] == ".nii.gz"
    assert described["maskloop"]["images"] == ["t1", "t2-fs", "ct"]
    assert described["maskloop"]["values"] == {"Tumour": 1, "Oedema": 3}
    assert described["maskloop"]["inputs"] == {"release": source.digest}
    assert len(list((dataset / "imagesTr").iterdir())) == 9
    [moved] = [
        each for each in json.loads((folder / "export.json").read_text())["findings"] if "values" in each["code"]
    ]
    assert "Oedema is 2 and was 3" in moved["message"]


def test_voxels_are_the_release_s_with_axes_turned(export: Export, source: ReleaseSource) -> None:
    dataset = _dataset(export("nnunet", images=("t2",)))
    for case in source.cases:
        image = read_volume(dataset / "imagesTr" / f"{case.code}_0000.nii.gz")
        mask = read_mask(dataset / "labelsTr" / f"{case.code}.nii.gz")
        mask.grid.require_match(image.grid, what="image and mask")
        here = as_ras(source.volume(case, "t2"))
        here.grid.require_match(image.grid, what="release and export")
        np.testing.assert_array_equal(image.data, here.data)
        there = source.mask(case)
        assert int((mask.data == 2).sum()) == int((there.data == 3).sum())


def test_folds_are_the_suggested_ones_and_keep_patients_apart(tmp_path: Path) -> None:
    release = open_release(build_release(write_others(tmp_path), replace(ONE_LABEL, folds=3), tmp_path / "r").folder)
    write_export(plan_export(release, FORMATS["nnunet"], ExportOptions()), tmp_path / "out")
    [path] = (tmp_path / "out" / "preprocessed").rglob("splits_final.json")
    folds = json.loads(path.read_text())
    assert [tuple(fold["val"]) for fold in folds] == [tuple(sorted(fold)) for fold in release.folds]
    patient = {case.code: case.patient for case in release.cases}
    for fold in folds:
        assert not {patient[code] for code in fold["train"]} & {patient[code] for code in fold["val"]}
        assert sorted([*fold["train"], *fold["val"]]) == sorted(patient)
    assert {path.parent.name for path in (tmp_path / "out").rglob("splits_final.json")} == {
        _dataset(tmp_path / "out").name
    }


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"number": 0}, "nnunet-dataset"),
        ({"number": 1000}, "nnunet-dataset"),
        ({"dataset_name": "../x"}, "nnunet-dataset"),
    ],
)
def test_what_nnunet_cannot_have_is_refused(source: ReleaseSource, options: dict, code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        plan_export(source, FORMATS["nnunet"], ExportOptions(images=("t1",), **options))
    assert refusal.value.code == code


@pytest.mark.parametrize("name", ["background", "Ignore"])
def test_a_label_that_means_something_else_to_nnunet_is_refused(tmp_path: Path, name: str) -> None:
    settings = replace(SETTINGS, labels={1: "Tumour", 3: name})
    release = open_release(build_release(write_cases(tmp_path, complete=True), settings, tmp_path / "r").folder)
    with pytest.raises(RejectedInput) as refusal:
        plan_export(release, FORMATS["nnunet"], ExportOptions())
    assert refusal.value.code == "nnunet-label"


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get(_ENVIRONMENT), reason=f"{_ENVIRONMENT} does not name nnU-Net's environment")
def test_nnunet_finds_it_sound_and_a_spoilt_one_not(export: Export) -> None:
    folder = export("nnunet", missing=Missing.LEAVE_IMAGE_OUT)
    python = Path(os.environ[_ENVIRONMENT]) / "bin" / "python"

    def checked() -> subprocess.CompletedProcess[str]:
        return subprocess.run([python, "-c", CHECK, folder], capture_output=True, text=True, check=False, cwd=folder)

    done = checked()
    assert done.stdout.strip().endswith("sound"), done.stderr[-800:]
    (_dataset(folder) / "imagesTr" / f"{WITHOUT_CT}_0001.nii.gz").unlink()
    assert not checked().stdout.strip().endswith("sound")
