"""ImageNet weights of an SE-ResNeXt50 (32x4d), read from a file that the user has; nothing is fetched.

Published by Cadene as ``se_resnext50_32x4d-a260b3a4.pth``; the same tensors as safetensors do as well.
"""

from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from training.pretrained.checkpoint import checkpoint_tensors

_SAFE = ".safetensors"


def read_encoder(file: Path) -> tuple[str, dict[str, Any]]:
    """The SHA-256 of a file of weights, and its tensors by name.

    Args:
        file: ``….safetensors``, or a checkpoint as torch writes it.

    Raises:
        RejectedInput: It is missing or damaged, or holds more than tensors.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RejectedInput(
            "encoder-weights",
            "The file of the encoder's weights cannot be read.",
            remedy="Correct the path, or leave it out to begin with random weights.",
        ) from error
    tensors = _safe_tensors(content) if file.suffix == _SAFE else checkpoint_tensors(content)
    return sha256_of_bytes(content), tensors


def _safe_tensors(content: bytes) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise RejectedInput(
            "encoder-weights",
            "The encoder's weights are not in safetensors format.",
            remedy="Take the file again and compare its size.",
        ) from error
