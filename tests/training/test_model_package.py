"""Packages are written once, read only when unchanged, and never unpickled."""

import json
import pickle  # noqa: TID251 - makes the canary that nothing may unpickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from training.model_package import (
    DESCRIPTION_NAME,
    WEIGHTS_NAME,
    ModelDescription,
    read_description,
    read_package,
    write_package,
)
from training.pretrained.shipped import shipped_packages
from training.table.table import method_called

DESCRIPTION = ModelDescription(
    name="tiny", version="1.0", method=method_called("unet-25d"), parameters={"size": 3}, inputs={"snapshot": "a" * 64}
)
TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(7, dtype=np.int64)}


@pytest.fixture
def package(tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "models" / "tiny"
    return folder, write_package(folder, DESCRIPTION, TENSORS)


def refusal(folder: Path, digest: str) -> str:
    with pytest.raises(RejectedInput) as caught:
        read_package(folder, expected_digest=digest)
    assert str(folder) not in str(caught.value)
    return caught.value.code


def test_round_trip(package) -> None:
    folder, digest = package
    description, tensors = read_package(folder, expected_digest=digest)
    assert replace(description, weights_sha256="") == DESCRIPTION
    assert description.digest == digest == sha256_of_bytes((folder / DESCRIPTION_NAME).read_bytes())
    assert description.title == "tiny-1.0"
    assert description.weights_sha256 == sha256_of_bytes((folder / WEIGHTS_NAME).read_bytes())
    assert tensors.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        assert tensors[name].dtype == expected.dtype
        assert tensors[name].shape == expected.shape
        assert np.array_equal(tensors[name], expected)


def test_same_content_gives_same_bytes(package, tmp_path: Path) -> None:
    folder, digest = package
    other = tmp_path / "other"
    assert write_package(other, DESCRIPTION, dict(reversed(TENSORS.items()))) == digest
    for name in (DESCRIPTION_NAME, WEIGHTS_NAME):
        assert (other / name).read_bytes() == (folder / name).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == [DESCRIPTION_NAME, WEIGHTS_NAME]


def test_writing_again_keeps_the_package_and_another_is_refused(package) -> None:
    folder, digest = package
    assert write_package(folder, DESCRIPTION, TENSORS) == digest
    with pytest.raises(RejectedInput) as caught:
        write_package(folder, DESCRIPTION, TENSORS | {"a": np.array(8)})
    assert caught.value.code == "package-exists"
    assert read_package(folder, expected_digest=digest)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, content: bytes) -> None:
        if path.name == WEIGHTS_NAME:
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr("training.model_package.write_bytes", fail)
    with pytest.raises(OSError, match="No space"):
        write_package(tmp_path / "models" / "tiny", DESCRIPTION, TENSORS)
    assert list((tmp_path / "models").iterdir()) == []


def test_missing(package, tmp_path: Path) -> None:
    folder, digest = package
    assert refusal(tmp_path / "nowhere", digest) == "package-missing"
    (folder / WEIGHTS_NAME).unlink()
    assert refusal(folder, digest) == "package-missing"


def test_other_digest(package) -> None:
    folder, _ = package
    assert refusal(folder, "0" * 64) == "package-digest"


def test_truncated_weights(package) -> None:
    folder, digest = package
    path = folder / WEIGHTS_NAME
    path.write_bytes(path.read_bytes()[:-1])
    assert refusal(folder, digest) == "package-weights-digest"


def test_every_flipped_bit_of_the_weights_is_found(package) -> None:
    folder, digest = package
    path = folder / WEIGHTS_NAME
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert refusal(folder, digest) == "package-weights-digest"


def test_changed_description(package) -> None:
    folder, digest = package
    path = folder / DESCRIPTION_NAME
    values = json.loads(path.read_bytes())
    values["parameters"]["size"] = 4
    path.write_text(json.dumps(values))
    assert refusal(folder, digest) == "package-digest"


def crafted(folder: Path, weights: bytes, **changes: object) -> str:
    """A package whose description fits its weights, as an attacker who can write both would make it."""
    values = json.loads((folder / DESCRIPTION_NAME).read_bytes())
    values |= {"weights_sha256": sha256_of_bytes(weights)} | changes
    (folder / DESCRIPTION_NAME).write_text(json.dumps(values))
    (folder / WEIGHTS_NAME).write_bytes(weights)
    return read_description(folder).digest


class Canary:
    """Leaves a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_pickled_weights_are_refused_and_not_run(package, tmp_path: Path) -> None:
    import torch

    folder, _ = package
    canary = Canary(tmp_path / "ran")
    torch.save({"a": canary}, tmp_path / "archive")
    for weights in (pickle.dumps(canary), (tmp_path / "archive").read_bytes()):
        assert refusal(folder, crafted(folder, weights)) == "package-pickled"
    assert not canary.path.exists()


def test_weights_that_begin_like_a_pickle_by_chance(tmp_path: Path) -> None:
    """A safetensors file begins with the length of its header, which may be 0x280: a pickle's first two bytes."""
    for length in range(560, 640):
        tensors = {"x" * length: np.zeros(1, dtype=np.float32)}
        digest = write_package(tmp_path / str(length), DESCRIPTION, tensors)
        read_package(tmp_path / str(length), expected_digest=digest)
        if (tmp_path / str(length) / WEIGHTS_NAME).read_bytes().startswith(b"\x80\x02"):
            return
    pytest.fail("No header of the length that this test is about.")


@pytest.mark.parametrize(
    "weights",
    [b"", b"\x00" * 8, b"\xff" * 64, b"\x10" + b"\x00" * 7 + b"{not json at all"],
    ids=["empty", "zeros", "length", "json"],
)
def test_weights_that_are_no_safetensors(package, weights: bytes) -> None:
    folder, _ = package
    assert refusal(folder, crafted(folder, weights)) == "package-weights"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"name": NaN}',
        "[" * 100_000,
        "\x00",
        '{"name": "x"}',
        "null",
        " " * (1 << 21),
    ],
)
def test_damaged_description(package, text: str) -> None:
    folder, digest = package
    (folder / DESCRIPTION_NAME).write_text(text)
    assert refusal(folder, digest) == "package-description"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("method", "pickle-anything", "package-method"),
        ("method", 3, "package-description"),
        ("name", "../elsewhere", "package-description"),
        ("version", "", "package-description"),
        ("inputs", {"snapshot": "short"}, "package-description"),
        ("inputs", {"snapshot": 3}, "package-description"),
        ("software", [], "package-description"),
        ("weights_sha256", "Z" * 64, "package-description"),
    ],
)
def test_wrong_field(package, field: str, value: object, code: str) -> None:
    folder, digest = package
    path = folder / DESCRIPTION_NAME
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {field: value}))
    assert refusal(folder, digest) == code


def test_parameters_must_be_plain(tmp_path: Path) -> None:
    for parameters in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises(RejectedInput) as caught:
            write_package(tmp_path / "odd", replace(DESCRIPTION, parameters=parameters), TENSORS)
        assert caught.value.code == "package-description"
    assert not (tmp_path / "odd").exists()


def test_a_package_says_its_images_and_its_label(tmp_path: Path) -> None:
    described = replace(DESCRIPTION, images=("ct", "t2-fs"), label="Oedema")
    digest = write_package(tmp_path / "new", described, TENSORS)
    found, _ = read_package(tmp_path / "new", expected_digest=digest)
    assert (found.kinds, found.drawn_label) == (("ct", "t2-fs"), "Oedema")
    assert json.loads((tmp_path / "new" / DESCRIPTION_NAME).read_bytes())["images"] == ["ct", "t2-fs"]


def test_a_package_of_an_earlier_version_is_read_with_its_own_digest(package) -> None:
    folder, digest = package
    assert {"images", "label"}.isdisjoint(json.loads((folder / DESCRIPTION_NAME).read_bytes()))
    found = read_description(folder)
    assert found.digest == digest
    assert (found.kinds, found.drawn_label) == (("t1", "t2"), "Tumour")


def test_images_and_label_of_each_method_in_earlier_versions() -> None:
    channels = {"channels": [{"image": "ct", "rule": "ct-window"}, {"image": "pet", "rule": "zscore"}]}
    clicks = replace(DESCRIPTION, method=method_called("two-stage"), parameters=channels)
    assert (clicks.kinds, clicks.drawn_label) == (("ct", "pet"), "Tumour")
    boxes = replace(DESCRIPTION, method=method_called("lite-medsam"))
    assert (boxes.kinds, boxes.drawn_label) == ((), "")
    for damaged in ({}, {"channels": []}, {"channels": [{"image": "x-ray"}]}):
        with pytest.raises(RejectedInput, match="package-parameters"):
            _ = replace(clicks, parameters=damaged).kinds


def test_the_shipped_models_learned_from_t1_and_keep_their_digests() -> None:
    packages = shipped_packages()
    assert {*packages} >= {"six-points", "clicks-2d", "clicks-3d", "deepedit"}
    for folder in packages.values():
        found = read_description(folder)
        assert found.digest == sha256_of_bytes((folder / DESCRIPTION_NAME).read_bytes())
        assert (found.kinds, found.drawn_label) == (("t1",), "Tumour")


@pytest.mark.parametrize("images", [["x-ray"], ["t1", "t1"], "t1", [1], None])
def test_images_that_nobody_knows_are_refused(package, images: object) -> None:
    folder, _ = package
    path = folder / DESCRIPTION_NAME
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"images": images}))
    with pytest.raises(RejectedInput, match="package-description"):
        read_description(folder)
