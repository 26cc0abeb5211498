"""segment_volume writes the uncertainty as a map on the image's grid, or says that the model has none."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management import call_command

from datasets.formats.nifti import read_volume, write_volume
from tests.annotation_backend.support.phantom_cohort import write_cohort
from tests.training.support.synthetic import blob_case
from tests.training.support.tiny_folds import write_slice_model
from tests.training.support.tiny_models import BUILDERS
from training.model_package import write_package


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON document on stdout."""
    out, status = StringIO(), 0
    try:
        call_command(*map(str, arguments), "--json", stdout=out, stderr=StringIO())
    except SystemExit as left:
        status = int(left.code or 0)
    return status, json.loads(out.getvalue())


def test_the_map_of_one_network_is_the_entropy_of_its_probability(tmp_path: Path) -> None:
    """Slices of the size of the network's pictures: nothing is resized."""
    write_slice_model(tmp_path / "model", seed=1)
    image, mask = tmp_path / "T1.nii.gz", tmp_path / "mask.nii.gz"
    write_volume(image, blob_case(1, shape=(32, 32, 6)).volumes["t1"])
    files = {name: tmp_path / f"{name}.nii.gz" for name in ("probability", "uncertainty")}
    given = [each for name, path in files.items() for each in (f"--{name}", path)]
    status, found = run("segment_volume", "--model", tmp_path / "model", "--image", image, "--out", mask, *given)
    assert status == 0
    drawn, unsure = (read_volume(path) for path in files.values())
    drawn.grid.require_match(unsure.grid, what="Probability and uncertainty")
    p = drawn.data.astype(np.float64)
    np.testing.assert_allclose(unsure.data, -p * np.log2(p) - (1 - p) * np.log2(1 - p), atol=1e-4)
    assert 0.0 <= found["score"] <= 1.0
    assert abs(found["uncertainty"] + found["score"] - 1.0) < 1e-4


def test_a_model_that_does_not_say_it_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    write_cohort(tmp_path, count=1)
    write_package(tmp_path / "model", *BUILDERS["clicks-3d"]())
    image, mask = tmp_path / "P1" / "T1.nii.gz", tmp_path / "mask.nii.gz"
    given = (
        "segment_volume",
        "--model",
        tmp_path / "model",
        "--image",
        image,
        "--click",
        "9,9,4",
        "--voxels",
        "--out",
        mask,
    )
    status, found = run(*given, "--uncertainty", tmp_path / "unsure.nii.gz")
    assert (status, found["code"]) == (2, "uncertainty-none")
    assert not mask.exists()
    assert run(*given, "--uncertainty", mask)[1]["code"] == "output-name"
