"""nnU-Net's datasets and result folders."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask, read_volume
from datasets.formats.nnunet_dataset import dataset_folder_name, write_splits
from tests.training.support.ball_examples import ball_example
from tests.training.support.foreign_models import ARCHITECTURE, PlainUNet, write_results
from training.exchange.imported import Imported
from training.exchange.nnunet.dataset import write_dataset
from training.exchange.nnunet.environment import MADE_BY, VARIABLE, NnunetEnvironment
from training.exchange.nnunet.network import converted_weights, network_plan
from training.exchange.nnunet.results import import_results
from training.methods.loading import load_segmenter
from training.model_package import read_description
from training.segmenters.imported.nnunet import nnunet_network, resampled
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.weights import with_weights


def _import(results: Path, package: Path) -> Imported:
    return import_results(results, package, name="nnunet", version="1", kinds=["t1"], axcodes="RAS")


def test_the_network_says_what_nnunets_own_layout_says() -> None:
    torch.manual_seed(1)
    theirs = PlainUNet().eval()
    plan = network_plan(ARCHITECTURE, 1)
    weights = converted_weights(theirs.state_dict(), plan)
    ours = with_weights(nnunet_network(plan), weights, device=torch.device("cpu"))
    picture = torch.randn(1, 1, 8, 16, 16)
    with torch.no_grad():
        outside, inside = theirs(picture)[0]
        found = ours(picture)[0, 0]
    np.testing.assert_allclose(found, inside - outside, atol=1e-4)


def test_a_result_folder_becomes_a_model_that_draws(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    digest = _import(results, tmp_path / "model").digest
    description = read_description(tmp_path / "model")
    assert {*description.inputs} == {"nnunet_plans", "nnunet_checkpoints"}
    example = ball_example(2)
    request = SegmentationRequest(example.volumes, "t1", wants_uncertainty=True)
    found = load_segmenter(tmp_path / "model", expected_digest=digest).segment(request)
    assert found.probability.data.shape == example.mask.grid.shape
    assert found.uncertainty is not None
    # The file's axes are (k, j, i) in nnU-Net: what is laid otherwise is drawn in the same place.
    turned = {
        kind: type(each)(np.ascontiguousarray(each.data[::-1]), _mirrored(each.grid))
        for kind, each in example.volumes.items()
    }
    again = load_segmenter(tmp_path / "model", expected_digest=digest).segment(SegmentationRequest(turned, "t1"))
    np.testing.assert_allclose(again.probability.data[::-1], found.probability.data, atol=1e-5)


def _mirrored(grid):  # type: ignore[no-untyped-def]
    affine = np.array(grid.affine)
    affine[:3, 3] += affine[:3, 0] * (grid.shape[0] - 1)
    affine[:3, 0] *= -1
    return type(grid)(grid.shape, affine)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"architecture": {**ARCHITECTURE, "network_class_name": "x.ResidualEncoderUNet"}}, "nnunet-network"),
        ({"normalization_schemes": ["RescaleTo01Normalization"]}, "nnunet-plans"),
        ({"preprocessor_name": "Own"}, "nnunet-plans"),
        ({"normalization_schemes": ["ZScoreNormalization"] * 2}, "nnunet-channels"),
    ],
)
def test_what_is_not_drawn_here_is_refused(changed: dict, code: str, tmp_path: Path) -> None:  # type: ignore[type-arg]
    results = write_results(tmp_path, changed=changed)
    with pytest.raises(RejectedInput, match=code):
        _import(results, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_checkpoint_with_code_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    results = write_results(tmp_path, extra=_Bomb(tmp_path / "ran"))
    with pytest.raises(RejectedInput, match="nnunet-pickled"):
        _import(results, tmp_path / "model")
    assert not (tmp_path / "ran").exists()


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


def test_a_dataset_lies_as_nnunet_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / dataset_folder_name(7, "balls")
    write_dataset(folder, ["case-0", "case-1"], lambda case: ball_example(int(case[-1])), kinds=["t1"], label="Tumour")
    assert sorted(path.name for path in (folder / "imagesTr").iterdir()) == [
        "case-0_0000.nii.gz", "case-1_0000.nii.gz",
    ]  # fmt: skip
    described = json.loads((folder / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "Tumour": 1}
    assert described["channel_names"] == {"0": "t1"}
    assert described["numTraining"] == 2
    image, mask = read_volume(folder / "imagesTr" / "case-1_0000.nii.gz"), read_mask(folder / "labelsTr/case-1.nii.gz")
    example = ball_example(1)
    assert (np.diag(image.grid.affine) > 0).all()
    mask.grid.require_match(image.grid, what="mask and image")
    assert mask.foreground.sum() == example.mask.foreground.sum()
    with pytest.raises(RejectedInput, match="nnunet-exists"):
        write_dataset(folder, [], ball_example, kinds=["t1"], label="Tumour")  # type: ignore[arg-type]


def test_folds_keep_patients_apart(tmp_path: Path) -> None:
    patients = {"a1": "a", "a2": "a", "b": "b", "c": "c"}
    write_splits(tmp_path / "x" / "splits_final.json", (("a1",), ("b", "c")), patients)
    assert json.loads((tmp_path / "x" / "splits_final.json").read_text()) == [
        {"train": ["b", "c"], "val": ["a1"]},
        {"train": ["a1", "a2"], "val": ["b", "c"]},
    ]


def test_without_its_environment_the_line_that_makes_it_is_said(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(RejectedInput, match="nnunet-environment") as caught:
        NnunetEnvironment.found(tmp_path)
    assert MADE_BY in caught.value.remedy


def test_resampling_apart_takes_the_nearest_slice() -> None:
    data = np.zeros((3, 2, 2), np.float32)
    data[1] = 1.0
    found = resampled(data, (6, 2, 2), order=3, apart=0)
    assert found[:, 0, 0].tolist() == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("number", [0, 1000])
def test_a_number_that_nnunet_has_not_is_refused(number: int) -> None:
    with pytest.raises(RejectedInput, match="nnunet-dataset"):
        dataset_folder_name(number, "balls")
