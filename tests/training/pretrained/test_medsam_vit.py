"""MedSAM's weights are converted from what a user gives, both ways to the same package, or refused by name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.errors import RejectedInput
from tests.training.support.small_medsam import published_tensors, write_checkpoint
from training.model_package import read_description, read_package
from training.networks.medsam_vit import SamArchitecture, as_transformers, medsam_vit
from training.pretrained.lite_medsam import published_weights
from training.pretrained.medsam_vit import convert_medsam_vit
from training.table.table import method_called


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("published") / "medsam_vit_b.pth")


@pytest.fixture(scope="module")
def saved_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network as transformers saves it."""
    tensors = as_transformers(published_tensors())
    network = medsam_vit(SamArchitecture.from_tensors(tensors))
    network.load_state_dict(tensors, strict=True)
    folder = tmp_path_factory.mktemp("saved") / "medsam"
    network.save_pretrained(folder)
    return folder


def refusal(source: Path, destination: Path) -> str:
    with pytest.raises(RejectedInput) as caught:
        convert_medsam_vit(source, destination)
    assert not destination.exists()
    assert str(source) not in str(caught.value)
    return caught.value.code


def test_a_published_checkpoint_becomes_a_package(checkpoint: Path, tmp_path: Path) -> None:
    digest = convert_medsam_vit(checkpoint, tmp_path / "model")
    description, tensors = read_package(tmp_path / "model", expected_digest=digest)
    assert (description.title, description.method) == ("medsam-vit-1", method_called("medsam-vit"))
    assert description.parameters["architecture"] == {
        "image_size": 64,
        "patch_size": 8,
        "width": 32,
        "depth": 3,
        "heads": 2,
        "mlp_width": 128,
        "window": 3,
        "global_blocks": [1],
        "width_out": 32,
        "mask_channels": 16,
        "decoder_mlp_width": 64,
        "quality_width": 48,
    }
    # Every published tensor is kept under another name, and the positional matrix twice.
    published = published_tensors()
    assert len(tensors) == len(published) + 1
    assert sorted(float(value.sum()) for value in published.values()) == pytest.approx(
        sorted(float(v.sum()) for name, v in tensors.items() if not name.startswith("shared_image")), abs=1e-4
    )


def test_converting_again_gives_the_same_package(checkpoint: Path, tmp_path: Path) -> None:
    first = convert_medsam_vit(checkpoint, tmp_path / "model")
    assert convert_medsam_vit(checkpoint, tmp_path / "model") == first
    assert convert_medsam_vit(checkpoint, tmp_path / "again") == first


def test_a_folder_of_transformers_gives_the_same_tensors(checkpoint: Path, saved_folder: Path, tmp_path: Path) -> None:
    found = []
    for name, source in (("file", checkpoint), ("folder", saved_folder)):
        digest = convert_medsam_vit(source, tmp_path / name)
        found.append(read_package(tmp_path / name, expected_digest=digest))
    (one, tensors), (other, same) = found
    assert one.parameters == other.parameters
    assert one.inputs != other.inputs
    assert tensors.keys() == same.keys()
    assert all(np.array_equal(tensors[name], same[name]) for name in tensors)


def test_the_sizes_of_vit_b_are_read_from_its_shapes() -> None:
    """On torch's meta device, which holds shapes only."""
    from transformers import SamConfig, SamModel

    with torch.device("meta"):
        tensors = SamModel(SamConfig()).state_dict()
    found = SamArchitecture.from_tensors(tensors)
    assert (found.image_size, found.patch_size, found.width, found.depth, found.heads) == (1024, 16, 768, 12, 12)
    assert (found.window, found.global_blocks, found.width_out) == (14, (2, 5, 8, 11), 256)
    with torch.device("meta"):
        ours = medsam_vit(found).state_dict()
    assert {name: value.shape for name, value in ours.items()} == {name: t.shape for name, t in tensors.items()}


def test_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "medsam_vit_b.pth", tmp_path / "model") == "medsam-vit-missing"
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty", tmp_path / "model") == "medsam-vit-missing"


def test_a_folder_with_a_pickle_only(saved_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(saved_folder / "config.json", folder)
    torch.save(published_tensors(), folder / "pytorch_model.bin")
    assert refusal(folder, tmp_path / "model") == "medsam-vit-missing"


@pytest.mark.parametrize("config", [None, "no json", "[]", "{}"])
def test_a_folder_without_a_config(saved_folder: Path, tmp_path: Path, config: str | None) -> None:
    folder = tmp_path / "saved"
    shutil.copytree(saved_folder, folder)
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)
    assert refusal(folder, tmp_path / "model") == "medsam-vit-folder"


def test_a_config_of_another_network(saved_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    shutil.copytree(saved_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "sam2"}))
    assert refusal(folder, tmp_path / "model") == "medsam-vit-architecture"


def test_a_config_of_another_size(saved_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    shutil.copytree(saved_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 4
    (folder / "config.json").write_text(json.dumps(config))
    assert refusal(folder, tmp_path / "model") == "medsam-vit-architecture"


def test_damaged_weights(saved_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    shutil.copytree(saved_folder, folder)
    whole = (folder / "model.safetensors").read_bytes()
    for content in (b"", whole[:100], whole[:-100]):
        (folder / "model.safetensors").write_bytes(content)
        assert refusal(folder, tmp_path / "model") == "medsam-vit-damaged"


def test_a_truncated_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.pth"
    short.write_bytes(checkpoint.read_bytes()[:-1000])
    assert refusal(short, tmp_path / "model") == "checkpoint-unreadable"


def test_other_networks_are_refused(tmp_path: Path) -> None:
    assert refusal(published_weights(), tmp_path / "model") == "medsam-vit-architecture"
    for wrong in (
        {name: value for name, value in published_tensors().items() if "neck" not in name},
        published_tensors() | {"image_encoder.other": torch.zeros(3)},
        published_tensors() | {"image_encoder.blocks.0.norm1.weight": torch.zeros(3)},
        published_tensors() | {"image_encoder.patch_embed.proj.weight": torch.tensor(3.0)},
    ):
        torch.save(wrong, tmp_path / "wrong.pth")
        assert refusal(tmp_path / "wrong.pth", tmp_path / "model") == "medsam-vit-architecture"


def test_other_weights_need_another_version(checkpoint: Path, tmp_path: Path) -> None:
    convert_medsam_vit(checkpoint, tmp_path / "model")
    torch.save({name: value + 1 for name, value in published_tensors().items()}, tmp_path / "other.pth")
    with pytest.raises(RejectedInput) as caught:
        convert_medsam_vit(tmp_path / "other.pth", tmp_path / "model")
    assert caught.value.code == "package-exists"
    convert_medsam_vit(tmp_path / "other.pth", tmp_path / "model-2", version="2")
    assert read_description(tmp_path / "model-2").title == "medsam-vit-2"


@pytest.mark.slow
@pytest.mark.parametrize("value", [[1], "x", None, {"hidden_size": "wide"}, {"num_attention_heads": 0}])
def test_a_config_of_strange_values(saved_folder: Path, tmp_path: Path, value: object) -> None:
    folder = tmp_path / "strange"
    shutil.copytree(saved_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    given = config["vision_config"] | value if isinstance(value, dict) else value
    (folder / "config.json").write_text(json.dumps(config | {"vision_config": given}))
    assert refusal(folder, tmp_path / "model") == "medsam-vit-damaged"
