"""Reads a published checkpoint, a pickle, once, with `weights_only=True`.

This restores tensors and plain containers and refuses everything else, so that no code in the file runs. Bundles and
results of nnU-Net are read likewise (`training.exchange`); nothing else here reads pickles.
"""

import io
from collections.abc import Mapping
from typing import Any

from datasets.errors import RejectedInput


def checkpoint_tensors(content: bytes) -> dict[str, Any]:
    """The tensors of a checkpoint by name.

    Args:
        content: The file.

    Raises:
        RejectedInput: It is damaged, holds more than tensors, or holds none.
    """
    import torch

    try:
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive may fail in any way
        raise _refusal("is damaged, or holds more than tensors") from error
    tensors = unwrapped(checkpoint) if isinstance(checkpoint, Mapping) else {}
    if not tensors or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise _refusal("does not hold tensors by name")
    return tensors


def unwrapped(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's tensors: out of the ``model`` of a training state, without the prefix of parallel training."""
    inner = checkpoint["model"] if isinstance(checkpoint.get("model"), Mapping) else checkpoint
    return {str(name).removeprefix("module."): tensor for name, tensor in inner.items()}


def _refusal(why: str) -> RejectedInput:
    return RejectedInput(
        "checkpoint-unreadable",
        f"The checkpoint {why}.",
        remedy="Take the published file again and compare its size; a checkpoint that needs its own code is not used.",
    )
