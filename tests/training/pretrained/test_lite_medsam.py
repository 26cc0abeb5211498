"""The one-off conversion takes the published checkpoint and nothing else."""

import pickle  # noqa: TID251 - makes the canary that nothing may unpickle
import shutil
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from training.model_package import ModelDescription, read_description, write_package
from training.pretrained.lite_medsam import WEIGHTS_SHA256, convert_lite_medsam
from training.table.table import method_called


class Canary:
    """Leaves a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_package_names_where_it_came_from(lite_medsam_package) -> None:
    folder, digest = lite_medsam_package
    description = read_description(folder)
    assert description.digest == digest
    assert (description.name, description.version, description.method) == (
        "lite-medsam",
        "1",
        method_called("lite-medsam"),
    )
    assert description.inputs == {"published_weights": WEIGHTS_SHA256}
    assert {"torch", "transformers", "numpy"} <= description.software.keys()


def test_converting_again_gives_the_same_package(lite_medsam_package, tmp_path: Path) -> None:
    folder, digest = lite_medsam_package
    assert convert_lite_medsam(folder) == digest
    assert convert_lite_medsam(tmp_path / "again") == digest


def test_converting_over_a_damaged_package_is_refused(lite_medsam_package, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(lite_medsam_package[0], copy)
    (copy / "model.safetensors").write_bytes(b"short")
    with pytest.raises(RejectedInput) as caught:
        convert_lite_medsam(copy)
    assert caught.value.code == "package-weights-digest"


def test_converting_over_another_model_is_refused(tmp_path: Path) -> None:
    write_package(tmp_path / "other", ModelDescription("other", "1", method_called("unet-25d"), {}, {}), {})
    with pytest.raises(RejectedInput) as caught:
        convert_lite_medsam(tmp_path / "other")
    assert caught.value.code == "package-exists"


def test_another_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    canary = Canary(tmp_path / "ran")
    source = tmp_path / "lite_medsam.pth"
    source.write_bytes(pickle.dumps(canary))
    with pytest.raises(RejectedInput) as caught:
        convert_lite_medsam(tmp_path / "model", source=source)
    assert caught.value.code == "lite-medsam-digest"
    assert not canary.path.exists()
    assert not (tmp_path / "model").exists()


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput) as caught:
        convert_lite_medsam(tmp_path / "model", source=tmp_path / "absent")
    assert caught.value.code == "lite-medsam-missing"
    assert str(tmp_path) not in str(caught.value)
