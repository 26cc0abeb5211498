"""The weights of a bundle: tensors alone, by readers that run no code. Imports torch."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - only its error, which torch's safe reader raises
from typing import Any

import torch
from safetensors.torch import load

from datasets.errors import RejectedInput
from training.exchange.bundle.export import PICKLED, SAFE
from training.segmenters.weights import is_plain

_NESTED = ("state_dict", "model", "network")
"""Keys under which checkpoints hold the state dict."""


def bundle_state(folder: Path) -> dict[str, torch.Tensor]:
    """The bundle's state dict.

    Raises:
        RejectedInput: There is none, or it is more than tensors.
    """
    try:
        if (folder / SAFE).is_file():
            found: Any = load((folder / SAFE).read_bytes())
        else:
            found = torch.load(folder / PICKLED, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise RejectedInput(
            "bundle-pickled",
            "The bundle's model.pt is a pickle of more than tensors, which could run any code.",
            remedy="Ask for a state dict (torch.save(network.state_dict())) or for model.safetensors.",
        ) from error
    except Exception as error:  # a damaged archive may fail in any way
        if isinstance(error, RuntimeError) and "TorchScript" in str(error):
            raise RejectedInput(
                "bundle-code",
                "The bundle's model.pt is a TorchScript program.",
                remedy="Ask for a state dict or for model.safetensors.",
            ) from error
        raise RejectedInput(
            "bundle-missing",
            "The bundle has no models/model.safetensors or models/model.pt that can be read.",
            remedy="Copy the whole bundle again.",
        ) from error
    for key in _NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(map(is_plain, found.values())):
        raise RejectedInput(
            "bundle-missing",
            "The bundle's model.pt holds no state dict of plain tensors.",
            remedy="Save the network's state dict alone.",
        )
    return {str(name): tensor.float() if tensor.is_floating_point() else tensor for name, tensor in found.items()}
