"""Bundles of ours: `monai.bundle` loads and runs them where this project is not, and draws our masks."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.formats.nifti import read_volume, write_volume
from tests.training.support.ball_examples import ball_example
from tests.training.support.method_walk import small_package
from training.exchange.bundle.export import export_bundle
from training.exchange.bundle.importing import import_bundle
from training.learned_cases import learned_cases, learned_digests
from training.measures.metrics import dice
from training.methods.loading import load_segmenter
from training.model_package import read_description, read_package, write_package
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.volumes import View
from training.table.table import method_called

_TENSOR = {
    "type": "object",
    "required": [
        "type", "format", "num_channels", "spatial_shape", "dtype", "value_range", "is_patch_data", "channel_def",
    ],
    "properties": {
        "num_channels": {"type": "integer", "minimum": 1},
        "spatial_shape": {"type": "array", "items": {"type": ["integer", "string"]}},
        "value_range": {"type": "array"},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object"},
    },
}  # fmt: skip
_TENSORS = {"type": "object", "minProperties": 1, "additionalProperties": _TENSOR}
SCHEMA = {
    "type": "object",
    "required": [
        "version", "monai_version", "pytorch_version", "numpy_version", "optional_packages_version", "task",
        "description", "authors", "copyright", "network_data_format",
    ],
    "properties": {
        **{key: {"type": "string", "minLength": 1} for key in ("version", "monai_version", "task", "description")},
        "optional_packages_version": {"type": "object", "additionalProperties": {"type": "string"}},
        "network_data_format": {"required": ["inputs", "outputs"], "properties": {
            "inputs": _TENSORS, "outputs": _TENSORS,
        }},
    },
}  # fmt: skip
"""What MONAI's Bundle Specification asks of metadata.json: https://docs.monai.io/en/stable/mb_specification.html."""

RUN = """
import sys
sys.modules["training"] = sys.modules["datasets"] = None  # an import of this project would fail
import monai.bundle
from monai.bundle import ConfigWorkflow
workflow = ConfigWorkflow("configs/inference.json", meta_file="configs/metadata.json", workflow_type="infer",
                          logging_file=False, bundle_root=".", dataset_dir="cases", output_dir="masks")
workflow.initialize(); workflow.run(); workflow.finalize()
loaded = monai.bundle.load("bundle", bundle_dir="..", workflow_type="inference", device="cpu")
print(type(loaded).__name__)
"""


def _exported(method: str, folder: Path) -> tuple[str, str]:
    """Exports a small package of a method; gives the package's digest and why the bundle does not draw."""
    small_package(method_called(method), folder / "package")
    digest = read_description(folder / "package").digest
    return digest, export_bundle(folder / "bundle", *read_package(folder / "package", expected_digest=digest))


def _seen_as(view: View, folder: Path) -> None:
    """A small package of a 3D U-Net that looks at volumes in one way."""
    small_package(method_called("unet-3d"), folder / "tiles")
    own, tensors = read_package(folder / "tiles", expected_digest=read_description(folder / "tiles").digest)
    write_package(folder / "package", replace(own, parameters={**own.parameters, "view": view.value}), tensors)


@pytest.mark.slow
@pytest.mark.parametrize("view", View)
def test_a_bundle_of_a_3d_u_net_draws_our_masks_without_this_project(view: View, tmp_path: Path) -> None:
    _seen_as(view, tmp_path)
    digest = read_description(tmp_path / "package").digest
    package = read_package(tmp_path / "package", expected_digest=digest)
    assert export_bundle(tmp_path / "bundle", *package) == ""
    # The first is one tile, and alike to rounding; the second is drawn in tiles, whose places differ from ours.
    sizes = {"one": (36, 32, 18), "two": (60, 40, 24)}
    examples = {case: ball_example(number, shape=shape) for number, (case, shape) in enumerate(sizes.items())}
    for case, example in examples.items():
        (tmp_path / "bundle" / "cases" / case).mkdir(parents=True)
        write_volume(tmp_path / "bundle" / "cases" / case / "t1.nii.gz", example.volumes["t1"])
    ran = subprocess.run(
        [sys.executable, "-I", "-c", RUN], cwd=tmp_path / "bundle", capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.split()[-1] == "DynUNet"
    segmenter = load_segmenter(tmp_path / "package", expected_digest=digest)
    least = {"one": 0.999, "two": 0.9 if view is View.TILES else 0.999}
    for case, example in examples.items():
        theirs = read_volume(tmp_path / "bundle" / "masks" / case / "t1_Tumour.nii.gz")
        ours = segmenter.segment(SegmentationRequest(example.volumes, "t1")).probability.data > 0.5
        theirs.grid.require_match(example.mask.grid, what="The bundle's mask")
        assert 0 < ours.sum() < ours.size
        assert dice(np.asarray(theirs.data) > 0, ours) >= least[case]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["unet-3d", "unet-25d", "six-points", "clicks-3d", "two-stage"])
def test_a_bundle_is_whole_and_comes_back_as_the_model(method: str, tmp_path: Path) -> None:
    digest, reason = _exported(method, tmp_path)
    assert bool(reason) is (method != "unet-3d")
    document = json.loads((tmp_path / "bundle" / "configs" / "metadata.json").read_text())
    jsonschema.validate(document, SCHEMA)
    assert document["provenance"]["package"] == digest
    assert document["provenance"]["inputs"] == {"cohort": "a" * 64}
    assert b"case-0" not in b"".join(path.read_bytes() for path in (tmp_path / "bundle").rglob("*.*") if path.is_file())
    description, tensors = read_package(tmp_path / "package", expected_digest=digest)
    export_bundle(tmp_path / "again", description, tensors)
    for path in (tmp_path / "bundle").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "bundle")).read_bytes()
    with pytest.raises(RejectedInput, match="bundle-own"):
        import_bundle(tmp_path / "bundle", tmp_path / "back", name="back", version="1", label="Oedema")
    found = import_bundle(tmp_path / "bundle", tmp_path / "back", name="back", version="1", label="Tumour")
    assert found.findings == ()
    restored, their_tensors = read_package(tmp_path / "back", expected_digest=found.digest)
    assert learned_cases(restored, ["case-0", "case-1", "case-2"]) == ["case-0", "case-1"]
    assert learned_digests(restored) == learned_digests(description)
    assert restored.method is description.method
    assert {*their_tensors} == {*tensors}
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(their_tensors[name], tensor.astype(their_tensors[name].dtype))
    load_segmenter(tmp_path / "back", expected_digest=found.digest)


@pytest.mark.slow
def test_a_network_that_is_not_monais_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput, match="bundle-network"):
        _exported("lite-medsam", tmp_path)
    assert not (tmp_path / "bundle").exists()
