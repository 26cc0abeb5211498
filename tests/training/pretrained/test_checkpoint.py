"""Checkpoints give tensors, and run nothing."""

import io
import pickle  # noqa: TID251 - makes the canary that nothing may unpickle
from pathlib import Path

import pytest
import torch

from datasets.errors import RejectedInput
from training.pretrained.checkpoint import checkpoint_tensors, unwrapped


class Canary:
    """Leaves a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def saved(value: object, *, as_archive: bool = True) -> bytes:
    content = io.BytesIO()
    torch.save(value, content, _use_new_zipfile_serialization=as_archive)
    return content.getvalue()


def test_training_states_are_unwrapped() -> None:
    assert unwrapped({"model": {"module.a.b": 1, "c": 2}, "epoch": 3}) == {"a.b": 1, "c": 2}
    assert unwrapped({"a": 1}) == {"a": 1}


@pytest.mark.parametrize("as_archive", [True, False])
def test_tensors_come_back(as_archive: bool) -> None:
    content = saved({"model": {"module.a": torch.arange(3)}, "epoch": 4}, as_archive=as_archive)
    assert checkpoint_tensors(content)["a"].tolist() == [0, 1, 2]


def test_code_is_refused_and_not_run(tmp_path: Path) -> None:
    canary = Canary(tmp_path / "ran")
    for content in (pickle.dumps(canary), saved({"a": canary}), saved({"a": canary}, as_archive=False)):
        with pytest.raises(RejectedInput) as caught:
            checkpoint_tensors(content)
        assert caught.value.code == "checkpoint-unreadable"
        assert not canary.path.exists()


WHOLE = saved({"a": torch.arange(1000)})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no checkpoint",
        WHOLE[: len(WHOLE) // 2],
        saved([torch.arange(3)]),
        saved({"a": 3}),
        saved({}),
        saved(torch.arange(3)),
    ],
)
def test_damaged_or_without_tensors(content: bytes) -> None:
    with pytest.raises(RejectedInput) as caught:
        checkpoint_tensors(content)
    assert caught.value.code == "checkpoint-unreadable"
