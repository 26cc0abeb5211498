"""What a result folder says of itself: its channels, how its files lay, and which cases it learned from."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets.errors import RejectedInput
from datasets.formats.nnunet_dataset import PROVENANCE
from tests.training.support.foreign_models import write_results
from training.exchange.nnunet.result_folder import ResultFolder
from training.exchange.nnunet.results import import_results
from training.learned_cases import learned_cases
from training.model_package import read_description

OURS = {PROVENANCE: {"images": ["t2", "t1"], "inputs": {}}}


def _folder(dataset: dict[str, Any] | None = None, plans: dict[str, Any] | None = None) -> ResultFolder:
    return ResultFolder(Path("x"), "3d_fullres", plans or {}, dataset or {})


def test_channels_of_ours_have_the_order_of_the_export() -> None:
    assert _folder(OURS).kinds(()) == (("t2", "t1"), [])
    assert _folder(OURS).kinds(["t2", "t1"]) == (("t2", "t1"), [])
    with pytest.raises(RejectedInput, match="nnunet-channels"):
        _folder(OURS).kinds(["t1", "t2"])


def test_channels_made_elsewhere_are_compared_with_their_names() -> None:
    folder = _folder({"channel_names": {"0": "T2", "1": "T1"}})
    assert folder.kinds(["t2", "t1"]) == (("t2", "t1"), [])
    assert folder.kinds(["t2-fs", "t1"]) == (("t2-fs", "t1"), [])  # a plain T2 may be either
    for named in (["t1", "t2"], ["ct", "t1"], []):
        with pytest.raises(RejectedInput, match="nnunet-channels"):
            folder.kinds(named)
    swapped = _folder({"channel_names": {"0": "t1-ce", "1": "t1"}})
    with pytest.raises(RejectedInput, match="nnunet-channels"):
        swapped.kinds(["t1", "t1-ce"])
    assert swapped.kinds(["t1-ce", "t1"])[1] == []
    [finding] = _folder({"channel_names": {"0": "noNorm"}}).kinds(["ct"])[1]
    assert "'noNorm'" in finding
    assert "taken as ct" in finding


def test_axes_are_known_of_ours_and_named_for_others() -> None:
    assert _folder(OURS).axcodes("") == "RAS"
    assert _folder({}, {"image_reader_writer": "NibabelIOWithReorient"}).axcodes("") == "RAS"
    assert _folder({}, {"image_reader_writer": "SimpleITKIO"}).axcodes("LPS") == "LPS"
    for folder, named in ((_folder({}, {"image_reader_writer": "SimpleITKIO"}), ""), (_folder(OURS), "LPS")):
        with pytest.raises(RejectedInput, match="nnunet-axes"):
            folder.axcodes(named)


SPLITS = [{"train": ["b", "c"], "val": ["a"]}, {"train": ["a", "d"], "val": ["b", "c"]}]


@pytest.mark.parametrize("place", ["beside", "ours", "theirs"])
def test_each_fold_says_which_cases_it_learned_from(place: str, tmp_path: Path) -> None:
    results = tmp_path / "results" / "Dataset007_balls" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    results.mkdir(parents=True)
    folder = ResultFolder(results, "3d_fullres", {}, {})
    assert folder.learned_from(["0"]) is None
    kept = {"beside": results, "ours": tmp_path / "preprocessed", "theirs": tmp_path / "nnUNet_preprocessed"}[place]
    path = (kept if place == "beside" else kept / "Dataset007_balls") / "splits_final.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(SPLITS))
    every = ["a", "b", "c", "d"]
    # nnU-Net splits a fold that is not listed at random, so that any case may have been learned from.
    assert folder.learned_from(["0", "1", "all", "4"]) == [["b", "c"], ["a", "d"], every, every]
    path.write_text('[{"train": 3}]')
    with pytest.raises(RejectedInput, match="nnunet-results"):
        folder.learned_from(["0"])


def test_a_model_keeps_the_cases_that_its_folds_learned_from(tmp_path: Path) -> None:
    results = write_results(tmp_path)
    given: dict[str, Any] = {"name": "nnunet", "version": "1", "kinds": ["t1"], "axcodes": "RAS"}
    [unknown] = import_results(results, tmp_path / "unknown", **given).findings
    assert "[learned-from-unknown]" in unknown
    (results / "splits_final.json").write_text(json.dumps(SPLITS))
    assert import_results(results, tmp_path / "known", **given).findings == ()
    assert learned_cases(read_description(tmp_path / "known"), ["a", "b", "c", "d"]) == ["b", "c"]


ODD_WEIGHTS: list[tuple[str, Any]] = [
    ("encoder.stages.0.0.convs.1.norm.weight", 3),
    ("encoder.stages.0.0.convs.1.norm.weight", torch.zeros(7)),
    ("encoder.stages.0.0.convs.0.conv.weight", torch.zeros(3, 4).to_sparse()),
    ("decoder.transpconvs.0.weight", torch.zeros(4, dtype=torch.complex64)),
    ("decoder.stages.0.convs.0.conv.weight", torch.zeros(1)),
    ("decoder.seg_layers.1.weight", torch.zeros(3, 4, 1, 1, 1)),
    ("decoder.seg_layers.1.weight", torch.tensor(1.0)),
    ("decoder.seg_layers.1.bias", torch.tensor([0.0, float("nan")])),
]


@pytest.mark.parametrize(("name", "weight"), ODD_WEIGHTS)
def test_weights_of_another_network_are_refused_and_nothing_is_written(name: str, weight: Any, tmp_path: Path) -> None:
    results = write_results(tmp_path)
    path = results / "fold_0" / "checkpoint_final.pth"
    kept = torch.load(path, weights_only=False)
    assert name in kept["network_weights"]
    torch.save({**kept, "network_weights": {**kept["network_weights"], name: weight}}, path)
    with pytest.raises(RejectedInput):
        import_results(results, tmp_path / "model", name="nnunet", version="1", kinds=["t1"], axcodes="RAS")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("arguments", [{"nonlin_kwargs": [[]]}, {"n_stages": 10**12}, {"strides": 3}])
def test_plans_of_another_form_are_refused(arguments: dict[str, Any], tmp_path: Path) -> None:
    results = write_results(tmp_path)
    plans = json.loads((results / "plans.json").read_text())
    plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"].update(arguments)
    (results / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(RejectedInput, match="nnunet-"):
        import_results(results, tmp_path / "model", name="nnunet", version="1", kinds=["t1"], axcodes="RAS")


def test_a_damaged_checkpoint_is_refused_wherever_the_damage_lies(tmp_path: Path) -> None:
    results, refused = write_results(tmp_path), 0
    path = results / "fold_0" / "checkpoint_final.pth"
    whole = path.read_bytes()
    start = whole.index(b"network_weights")
    # Opcodes of the pickle: what torch's reader raises depends on the place; some bytes say nothing.
    for at in range(start - 40, start + 300, 17):
        path.write_bytes(whole[:at] + b"R" + whole[at + 1 :])
        try:
            import_results(results, tmp_path / f"model-{at}", name="nnunet", version="1", kinds=["t1"], axcodes="RAS")
        except RejectedInput:
            refused += 1
    assert refused > 10
