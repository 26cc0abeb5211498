"""Puts a package's tensors into a network. Imports torch: imported by segmenters only."""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from datasets.errors import RejectedInput
from training.model_package import Tensors
from training.runtime import Runtime, runtime_of

Network = TypeVar("Network", bound=torch.nn.Module)

_COUNTED = re.compile(r"[0-9]{1,4}")

_PLAIN = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
)

_SECOND_NAMES = "skip_layers."
"""MONAI's DynUNet has a second name for each of its blocks, along its skips; packages hold every tensor once."""


def with_weights(network: Network, tensors: Tensors, *, device: torch.device) -> Network:
    """The network with these weights, on `device`, in evaluation mode.

    A tensor with two names in the network may be given by either.

    Raises:
        RejectedInput: A tensor is missing, superfluous, of another shape, or not finite.
    """
    if not all(value.dtype.kind in "fiu" and np.isfinite(value).all() for value in tensors.values()):
        raise RejectedInput(
            "package-not-finite",
            "Some weights are not finite real numbers.",
            remedy="Train or convert the model again.",
        )
    known = network.state_dict()
    given = {name: torch.from_numpy(value) for name, value in tensors.items()}
    place = {known[name].data_ptr(): value for name, value in given.items() if name in known}
    again = {name: place[own.data_ptr()] for name, own in known.items() if own.data_ptr() in place}
    try:
        network.load_state_dict(again | given, strict=True)
    except RuntimeError as error:
        raise RejectedInput(
            "package-network",
            "The tensors are not those of the method's network.",
            remedy="Use the version of Maskloop that made this model, or train or convert it again.",
        ) from error
    return network.to(device).eval()


def runtimes_of(networks: Iterable[torch.nn.Module], members: Sequence[Tensors]) -> list[Runtime]:
    """Networks with their weights, ready to answer on the best device there is.

    Args:
        networks: As their plans lay them out.
        members: The weights of each.

    Raises:
        RejectedInput: The tensors are not those of the networks.
    """
    device = best_device()
    placed = [with_weights(network, own, device=device) for network, own in zip(networks, members, strict=True)]
    return [runtime_of(network, device=device) for network in placed]


def is_plain(value: Any) -> bool:
    """Whether a value that somebody else's file holds is a tensor of numbers that lie in the memory one after another.

    Sparse, complex, quantised and empty-handed ones (of torch's meta device) are none.
    """
    if not isinstance(value, torch.Tensor):
        return False
    return value.layout is torch.strided and value.device.type == "cpu" and value.dtype in _PLAIN


def tensors_of(network: torch.nn.Module) -> dict[str, Any]:
    """The network's tensors as NumPy arrays by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}


def best_device() -> torch.device:
    """The device that `MASKLOOP_DEVICE` names (``cpu``, ``cuda``), else the GPU where there is one, else the processor.

    Raises:
        RejectedInput: A GPU is asked for on a machine without one, or the name is no device.
    """
    has_gpu = torch.cuda.is_available()
    wanted = os.environ.get("MASKLOOP_DEVICE") or ("cuda" if has_gpu else "cpu")
    if wanted not in ("cpu", "cuda") or (wanted == "cuda" and not has_gpu):
        raise RejectedInput(
            "device",
            "The device must be cpu, or cuda on a machine with a GPU.",
            remedy="Leave --device and MASKLOOP_DEVICE out to use the best device there is.",
        )
    return torch.device(wanted)


def members_of(tensors: Tensors, count: int) -> list[dict[str, Any]]:
    """The tensors of each network of an ensemble, kept as ``<number>/<name>``, in full precision.

    Raises:
        RejectedInput: A tensor belongs to none of the `count` networks.
    """
    members: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, tensor in tensors.items():
        number, _, own = name.partition("/")
        if not _COUNTED.fullmatch(number) or int(number) >= count:
            raise RejectedInput(
                "package-network",
                f"The tensors are not those of {count} networks.",
                remedy="Use the version of Maskloop that made this model, or train it again.",
            )
        members[int(number)][own] = tensor.astype(np.float32) if tensor.dtype == np.float16 else tensor
    return members


def as_members(networks: Sequence[Tensors]) -> dict[str, Any]:
    """The tensors of several networks as one package keeps them, each once."""
    return {
        f"{number}/{name}": tensor
        for number, each in enumerate(networks)
        for name, tensor in each.items()
        if not name.startswith(_SECOND_NAMES)
    }
