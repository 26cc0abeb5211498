"""The one place that reads a pickle: a published checkpoint, once, with `weights_only=True`.

Such reading restores tensors and plain containers and refuses everything else, so that no code in the file runs.
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
        RejectedInput: It is damaged, holds more than tensors, or none.
    """
    import torch

    try:
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive may fail in any way
        raise _refusal("a file that is damaged or holds more than tensors, which is not read") from error
    tensors = unwrapped(checkpoint) if isinstance(checkpoint, Mapping) else {}
    if not tensors or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise _refusal("something else")
    return tensors


def unwrapped(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's tensors: out of the ``model`` of a training state, without the prefix of parallel training."""
    inner = checkpoint["model"] if isinstance(checkpoint.get("model"), Mapping) else checkpoint
    return {str(name).removeprefix("module."): tensor for name, tensor in inner.items()}


def _refusal(got: str) -> RejectedInput:
    return RejectedInput(
        "checkpoint-unreadable",
        f"Expected a checkpoint with tensors by name, got {got}.",
        remedy="Take the published file again and compare its size; a checkpoint that needs its own code is not used.",
    )
