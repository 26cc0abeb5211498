"""Bundles made elsewhere: those of MONAI's parts become models; nothing else of them is made, and nothing runs."""

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
from tests.training.support.foreign_models import PREPROCESSING, UNET, foreign_config, write_foreign_bundle
from training.exchange.bundle.importing import import_bundle
from training.methods.loading import load_segmenter
from training.segmenters.segmenter import SegmentationRequest


def _import(folder: Path, **options: Any) -> str:
    given = {"kinds": ("t1",)} | options
    return import_bundle(folder, folder.parent / "model", name="foreign", version="1", **given)


def test_a_bundle_draws_what_monai_draws_with_it(tmp_path: Path) -> None:
    network = write_foreign_bundle(tmp_path / "bundle")
    digest = _import(tmp_path / "bundle")
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


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"network_def": {"_target_": "os.system", "command": "mkdir ran"}}, "bundle-code"),
    ({"network_def": {"_target_": "scripts.net.Own"}}, "bundle-code"),
    ({"network_def": "$__import__('os').mkdir('ran')"}, "bundle-code"),
    ({"network_def": {"_target_": "UNet", **UNET, "channels": "$[__import__('os').mkdir('ran')]"}}, "bundle-code"),
    ({"network_def": {"_target_": "UNet", **UNET, "act": {"_target_": "os.mkdir", "path": "ran"}}}, "bundle-code"),
    ({"network_def": "@a", "a": "@b", "b": "@a"}, "bundle-code"),
    (_steps({"_target_": "Lambdad", "keys": "image", "func": "$lambda x: x"}), "bundle-unmapped"),
    (_steps({"_target_": "my.transforms.Own", "keys": "image"}), "bundle-code"),
    (_steps({"_target_": "RandFlipd", "keys": "image"}), "bundle-unmapped"),
    (_steps({"_target_": "CropForegroundd", "keys": "image", "select_fn": "$lambda x: x"}), "bundle-code"),
    ({"inferer": {"_target_": "SliceInferer", "roi_size": [8, 8]}}, "bundle-unmapped"),
    ({"network_def": {"_target_": "UNet", **UNET, "out_channels": 4}}, "bundle-class"),
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
