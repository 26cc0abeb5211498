"""Packages whose digests are right and whose numbers are not: refused before anything is built from them."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.errors import RejectedInput
from tests.training.support.tiny_models import BUILDERS
from training.methods.loading import load_segmenter
from training.methods.needs import channels_of
from training.model_package import DESCRIPTION_NAME, ModelDescription, read_description, write_package

NETWORK_CHANGES: dict[str, Any] = {
    "widths": [1_000_000, 1_000_000, 1_000_000],
    "strides": [[1, 1, 1], [10**9, 1, 1], [2, 2, 2]],
    "kernels": [[3, 3, 3], [10**6, 3, 3], [3, 3, 3]],
    "channels": 4.0,
    "supervised": "1",
}

CHANGES: dict[str, list[tuple[str, Any]]] = {
    "six-points": [
        ("members", 10**9),
        ("members", 1.0),
        ("members", True),
        ("budget", 10**12),
        ("budget", 0),
        ("budget", "many"),
        ("spacing", [0.0, 1.0, 1.0]),
        ("spacing", [1e-300, 1.0, 1.0]),
        ("spacing", [-1.0, 1.0, 1.0]),
        ("spacing", ["nan", 1.0, 1.0]),
        ("spacing", [10**400, 1.0, 1.0]),
        ("iterations", 10**9),
        ("relaxed", 1e300),
        ("relaxed", "wide"),
        ("mirrored", [0, 0, 1]),
        ("mirrored", [7]),
        ("maps", ["ellipsoid"]),
        ("networks", [{}]),
        ("networks", "many"),
        ("networks", 5),
        ("channels", []),
        *(("network", {key: value}) for key, value in NETWORK_CHANGES.items()),
    ],
    "two-stage": [
        ("members", 10**9),
        ("members", 1.0),
        ("canvas", [0, 0, 0]),
        ("canvas", [-16, 16, 8]),
        ("canvas", [2**20, 2**20, 2**20]),
        ("canvas", [16, 16]),
        ("sigma", 10**400),
        ("sigma", 0),
        ("sigma", "wide"),
        ("margin", -1),
        ("sees_previous", "yes"),
        ("channels", []),
        *(("refiner", {key: value}) for key, value in NETWORK_CHANGES.items()),
        *(("automatic", {key: value}) for key, value in NETWORK_CHANGES.items()),
    ],
}
MISSHAPED = [("sees_previous", "yes"), ("sigma", "wide"), ("sigma", 10**400)]
"""Of two-stage: not even the shape of a plan."""

CASES = [(name, key, value) for name, changes in CHANGES.items() for key, value in changes]


def _code(name: str, key: str, value: Any) -> str:
    """By what a change is refused: the network's plan, the method's own, or the parameters as such."""
    if isinstance(value, dict):
        return "network-plan"
    return "package-parameters" if name == "six-points" or (key, value) in MISSHAPED else "click-plan"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "key", "value"), CASES)
def test_numbers_that_no_training_gives(name: str, key: str, value: Any, tmp_path: Path) -> None:
    description, tensors = BUILDERS[name]()
    kept = description.parameters[key] if key != "networks" else None
    parameters = {**description.parameters, key: kept | value if isinstance(value, dict) else value}
    digest = write_package(tmp_path / "model", replace(description, parameters=parameters), tensors)
    with pytest.raises(RejectedInput) as caught:
        load_segmenter(tmp_path / "model", expected_digest=digest)
    assert caught.value.code == _code(name, key, value)
    assert caught.value.remedy


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", BUILDERS)
def test_weights_that_are_no_numbers(name: str, value: float, tmp_path: Path) -> None:
    description, tensors = BUILDERS[name]()
    first = next(iter(tensors))
    digest = write_package(tmp_path / "model", description, tensors | {first: np.full_like(tensors[first], value)})
    assert load_refused(tmp_path / "model", digest) == "package-not-finite"


@pytest.mark.parametrize("kind", [np.complex64, np.bool_])
def test_weights_of_another_kind(kind: type[np.generic], tmp_path: Path) -> None:
    description, tensors = BUILDERS["clicks-3d"]()
    changed = {name: tensor.astype(kind) for name, tensor in tensors.items()}
    try:
        digest = write_package(tmp_path / "model", description, changed)
    except (KeyError, RejectedInput):
        pytest.skip("safetensors does not write this kind of number")
    assert load_refused(tmp_path / "model", digest) == "package-not-finite"


@pytest.mark.parametrize("number", ["²", "1" * 5000, "-1", "", " 0", "1_0"])
def test_tensors_of_a_member_that_has_no_number(number: str, tmp_path: Path) -> None:
    description, tensors = BUILDERS["clicks-3d"]()
    changed = dict(tensors) | {f"{number}/weight": np.zeros(1, np.float32)}
    digest = write_package(tmp_path / "model", description, changed)
    assert load_refused(tmp_path / "model", digest) == "package-network"


@pytest.mark.parametrize("bad", ["1e999", "-1e999", '"\\ud800"'])
def test_a_description_that_cannot_be_written_again(bad: str, tmp_path: Path) -> None:
    path = tampered(tmp_path, '"members": 1', f'"members": {bad}')
    with pytest.raises(RejectedInput, match="package-description"):
        read_description(path)


def test_a_description_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / DESCRIPTION_NAME)
    with pytest.raises(RejectedInput, match="package-missing"):
        read_description(tmp_path)


@pytest.mark.parametrize("channels", [[], [{}], "t1", None])
def test_a_model_without_images(channels: Any) -> None:
    description, _ = BUILDERS["clicks-3d"]()
    changed: ModelDescription = replace(description, parameters={**description.parameters, "channels": channels})
    with pytest.raises(RejectedInput, match="package-parameters"):
        channels_of(changed)


def tampered(folder: Path, old: str, new: str) -> Path:
    """A package whose description was edited by hand."""
    description, tensors = BUILDERS["clicks-3d"]()
    write_package(folder / "model", description, tensors)
    path = folder / "model" / DESCRIPTION_NAME
    text = path.read_text(encoding="utf-8")
    assert old in text
    assert json.loads(text)
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder / "model"


def load_refused(folder: Path, digest: str) -> str:
    """The code of the refusal, which must be one."""
    with pytest.raises(RejectedInput) as caught:
        load_segmenter(folder, expected_digest=digest)
    return caught.value.code
