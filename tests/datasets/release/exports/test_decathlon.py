"""The Decathlon's layout of a release: values and axes as they are, channels in the fourth axis."""

import json

import nibabel as nib
import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume
from datasets.release.exports.export import plan_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions, Missing
from datasets.release.exports.source import ReleaseSource
from tests.datasets.release.exports.conftest import Export


def test_what_the_decathlon_s_readers_find(export: Export, source: ReleaseSource) -> None:
    folder = export("decathlon", missing=Missing.LEAVE_CASE_OUT, number=12, dataset_name="Phantoms") / "Task12_Phantoms"
    described = json.loads((folder / "dataset.json").read_text())
    assert described["modality"] == {"0": "t1", "1": "t2", "2": "ct"}
    assert described["labels"] == {"0": "background", "1": "Tumour", "3": "Oedema"}
    assert (described["numTraining"], described["numTest"], described["tensorImageSize"]) == (3, 0, "4D")
    assert (described["licence"], described["release"]) == ("CC-BY-4.0", "1.0.0")
    for entry in described["training"]:
        assert (folder / entry["image"]).exists()
        assert (folder / entry["label"]).exists()
    case = source.cases[0]
    for channel, role in enumerate(("t1", "t2", "ct")):
        found = read_volume(folder / "imagesTr" / f"{case.code}.nii.gz", channel=channel)
        np.testing.assert_array_equal(found.data, source.volume(case, role).data)
        np.testing.assert_array_equal(found.grid.affine, source.volume(case, role).grid.affine)
    mask = read_mask(folder / "labelsTr" / f"{case.code}.nii.gz")
    np.testing.assert_array_equal(mask.data, source.mask(case).data)


def test_one_image_a_case_is_3d_as_in_the_decathlon_s_own_tasks(export: Export) -> None:
    folder = export("decathlon", images=("t1",)) / "Task01_AsymmetricPhantoms"
    assert json.loads((folder / "dataset.json").read_text())["tensorImageSize"] == "3D"
    assert {nib.load(path).ndim for path in (folder / "imagesTr").iterdir()} == {3}


@pytest.mark.parametrize("options", [{"number": 0}, {"number": 100}, {"dataset_name": "a b"}])
def test_what_no_task_can_be_called_is_refused(source: ReleaseSource, options: dict) -> None:
    with pytest.raises(RejectedInput) as refusal:
        plan_export(source, FORMATS["decathlon"], ExportOptions(images=("t1",), **options))
    assert refusal.value.code == "decathlon-task"
