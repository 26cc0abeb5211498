"""Bundles made elsewhere: those of MONAI's parts become models; nothing else of them is made, and nothing runs."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai import transforms
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer

from datasets.errors import RejectedInput
from tests.training.support.ball_examples import ball_example
from tests.training.support.foreign_models import (
    POSTPROCESSING,
    PREPROCESSING,
    UNET,
    foreign_config,
    write_foreign_bundle,
)
from training.exchange.bundle.importing import import_bundle
from training.exchange.imported import Imported
from training.methods.loading import load_segmenter
from training.model_package import read_description
from training.segmenters.segmenter import SegmentationRequest


def _import(folder: Path, **options: Any) -> Imported:
    given = {"kinds": ("t1",), "label": "Tumour"} | options
    return import_bundle(folder, folder.parent / "model", name="foreign", version="1", **given)


def test_a_bundle_draws_what_monai_draws_with_it(tmp_path: Path) -> None:
    network = write_foreign_bundle(tmp_path / "bundle")
    digest = _import(tmp_path / "bundle").digest
    example = ball_example(4)
    found = load_segmenter(tmp_path / "model", expected_digest=digest).segment(
        SegmentationRequest(example.volumes, "t1")
    )
    steps = transforms.Compose(
        [
            transforms.Orientationd("image", "RAS"),
            transforms.Spacingd("image", (2.0, 2.0, 3.0), mode="bilinear"),
            transforms.NormalizeIntensityd("image", nonzero=True),
        ]
    )
    grid = example.mask.grid
    image = MetaTensor(torch.from_numpy(example.volumes["t1"].data)[None], affine=torch.from_numpy(grid.affine.copy()))
    prepared = steps({"image": image})["image"]
    with torch.no_grad():
        logits = SlidingWindowInferer((16, 16, 8), overlap=0.5)(prepared.as_tensor()[None], network)[0]
    answer = MetaTensor(logits.softmax(0)[1:], meta=prepared.meta, applied_operations=prepared.applied_operations)
    expected = steps.inverse({"image": answer})["image"][0].numpy()
    assert expected.shape == grid.shape
    np.testing.assert_allclose(found.probability.data, expected, atol=1e-5)
    assert 0 < (found.probability.data > 0.5).sum() < found.probability.data.size


def _steps(*more: dict[str, Any]) -> dict[str, Any]:
    return {"preprocessing": {"_target_": "Compose", "transforms": [*PREPROCESSING, *more]}}


def _cleaned(**arguments: Any) -> dict[str, Any]:
    keeps = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred"} | arguments
    return {"postprocessing": {"_target_": "Compose", "transforms": [*POSTPROCESSING, keeps]}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"network_def": {"_target_": "os.system", "command": "mkdir ran"}}, "bundle-code"),
    ({"network_def": {"_target_": "scripts.net.Own"}}, "bundle-code"),
    ({"network_def": "$__import__('os').mkdir('ran')"}, "bundle-code"),
    ({"network_def": {"_target_": "UNet", **UNET, "channels": "$[__import__('os').mkdir('ran')]"}}, "bundle-code"),
    ({"network_def": {"_target_": "UNet", **UNET, "act": {"_target_": "os.mkdir", "path": "ran"}}}, "bundle-code"),
    ({"network_def": "@a", "a": "@b", "b": "@a"}, "bundle-code"),
    ({"network_def": {"_target_": "UNet", **UNET, "in_channels": [0, 0, 0]}}, "bundle-code"),
    ({"network_def": {"_target_": "UNet", **UNET, "out_channels": "2"}}, "bundle-code"),
    (_steps({"_target_": "Lambdad", "keys": "image", "func": "$lambda x: x"}), "bundle-unmapped"),
    (_steps({"_target_": "my.transforms.Own", "keys": "image"}), "bundle-code"),
    (_steps({"_target_": "RandFlipd", "keys": "image"}), "bundle-unmapped"),
    (_steps({"_target_": "CropForegroundd", "keys": "image", "select_fn": "$lambda x: x"}), "bundle-code"),
    (_cleaned(applied_labels=[2]), "bundle-unmapped"),
    (_cleaned(num_components=2), "bundle-unmapped"),
    (_cleaned(is_onehot=True), "bundle-unmapped"),
    (_cleaned(connectivity=1), "bundle-unmapped"),
    ({"inferer": {"_target_": "SliceInferer", "roi_size": [8, 8]}}, "bundle-unmapped"),
    ({"network_def": {"_target_": "UNet", **UNET, "out_channels": 4}}, "bundle-class"),
    ({"network_def": {"_target_": "UNet", **UNET, "out_channels": "$2"}}, "bundle-code"),
    ({"network_def": {"_target_": "UNet", **UNET, "in_channels": 2}}, "bundle-images"),
    (
        {"network_def": {"_target_": "UNet", **UNET, "channels": [4, 8, 40_000], "strides": [2, 2], "kernel_size": 9}},
        "bundle-network",
    ),
    ({"network_def": {"_target_": "UNet", **UNET, "channels": [8, 8]}}, "package-network"),
]


@pytest.mark.parametrize(("changed", "code"), REFUSED, ids=[f"{n}-{code}" for n, (_, code) in enumerate(REFUSED)])
def test_what_is_not_in_the_lists_is_refused(
    changed: dict[str, Any], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_foreign_bundle(tmp_path / "bundle", foreign_config(**changed))
    with pytest.raises(RejectedInput, match=code):
        _import(tmp_path / "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_the_largest_component_of_the_label_is_kept(tmp_path: Path) -> None:
    config = foreign_config(**_cleaned(applied_labels=[1], connectivity=3))
    write_foreign_bundle(tmp_path / "bundle", config)
    _import(tmp_path / "bundle")
    assert read_description(tmp_path / "model").parameters["cleaning"] == "largest-component"


def _says(folder: Path, *, inputs: dict[str, str] | None = None, outputs: dict[str, str] | None = None) -> None:
    """Lets a bundle's metadata call its channels, as MONAI's specification has it."""
    called = {"inputs": {"image": {"channel_def": inputs}}, "outputs": {"pred": {"channel_def": outputs}}}
    document = {"version": "0.1.0", "network_data_format": called}
    (folder / "configs" / "metadata.json").write_text(json.dumps(document))


def test_nobody_takes_a_spleen_for_a_tumour_without_a_word(tmp_path: Path) -> None:
    write_foreign_bundle(tmp_path / "bundle")
    _says(tmp_path / "bundle", outputs={"0": "background", "1": "spleen"})
    with pytest.raises(RejectedInput, match="bundle-label") as caught:
        _import(tmp_path / "bundle", label="")
    assert "'spleen'" in caught.value.message
    found = _import(tmp_path / "bundle", label="Tumour").findings
    assert [each for each in found if "'spleen'" in each and "taken as Tumour" in each]


def test_a_channel_that_is_called_as_another_image_is_refused(tmp_path: Path) -> None:
    write_foreign_bundle(tmp_path / "bundle")
    _says(tmp_path / "bundle", inputs={"0": "T2w"})
    with pytest.raises(RejectedInput, match="bundle-images"):
        _import(tmp_path / "bundle", kinds=("t1",))
    _says(tmp_path / "bundle", inputs={"0": "image"})
    assert not [each for each in _import(tmp_path / "bundle").findings if "bundle-images" in each]


def test_how_images_lie_is_said_by_the_bundle_or_by_a_person(tmp_path: Path) -> None:
    """The same transforms come of it; where nobody says it, that is a finding."""
    loads, turns, resamples, scales = PREPROCESSING[:2], PREPROCESSING[2], PREPROCESSING[3], PREPROCESSING[4]
    plans = {}
    for name, steps, said in [
        ("own", [*loads, {**turns, "axcodes": "LPS"}, resamples, scales], {}),
        ("person", [*loads, scales], {"axcodes": "LPS", "spacing": [2.0, 2.0, 3.0]}),
        ("nobody", [*loads, scales], {}),
    ]:
        config = foreign_config(preprocessing={"_target_": "Compose", "transforms": steps})
        write_foreign_bundle(tmp_path / name / "bundle", config)
        findings = _import(tmp_path / name / "bundle", **said).findings
        lacking = [code for code in ("bundle-orientation", "bundle-spacing") if code in "".join(findings)]
        assert lacking == (["bundle-orientation", "bundle-spacing"] if name == "nobody" else [])
        plans[name] = read_description(tmp_path / name / "model").parameters["steps"]
    assert plans["person"] == plans["own"]
    assert [step["_target_"] for step in plans["nobody"]] == ["NormalizeIntensityd"]
    with pytest.raises(RejectedInput, match="bundle-placed"):
        _import(tmp_path / "own" / "bundle", axcodes="RAS")


class _Bomb:
    def __reduce__(self) -> object:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("weights", [_Bomb(), {"model": _Bomb()}, torch.nn.Conv3d(1, 1, 1)], ids=["bare", "in", "net"])
def test_pickled_weights_are_refused_and_nothing_runs(
    weights: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_foreign_bundle(tmp_path / "bundle", weights=weights)
    with pytest.raises(RejectedInput, match="bundle-pickled"):
        _import(tmp_path / "bundle")
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    with pytest.raises(RejectedInput, match="bundle-missing"):
        _import(tmp_path / "bundle")


@pytest.mark.parametrize(
    "weight", [torch.zeros(3, 4).to_sparse(), torch.zeros(2, dtype=torch.complex64), torch.zeros(2, device="meta")]
)
def test_tensors_that_are_not_plain_are_refused(weight: torch.Tensor, tmp_path: Path) -> None:
    state = write_foreign_bundle(tmp_path / "bundle").state_dict()
    first = next(iter(state))
    torch.save({**state, first: weight}, tmp_path / "bundle" / "models" / "model.pt")
    with pytest.raises(RejectedInput, match="bundle-missing"):
        _import(tmp_path / "bundle")
    assert not (tmp_path / "model").exists()
