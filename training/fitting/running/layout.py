"""Where and how a network multiplies: memory layout, reduced precision, what a package keeps. Imports torch."""

import shutil
from enum import StrEnum
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from datasets.errors import RejectedInput


class NumberFormat(StrEnum):
    """In what numbers a network multiplies; its weights are always kept in 32 bits."""

    AUTO = "auto"
    """bf16 where the device multiplies it, fp16 on GPUs that do not, else 32 bits."""

    FULL = "full"
    """32 bits."""

    HALF = "half"
    """fp16 with scaled losses."""

    def kind(self, device: torch.device) -> torch.dtype:
        """The numbers in which a device multiplies."""
        if self is NumberFormat.FULL:
            return torch.float32
        if self is NumberFormat.HALF:
            return torch.float16
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32

    def mixed(self, device: torch.device) -> Any:
        """The block in which a network answers in these numbers."""
        kind = self.kind(device)
        return torch.autocast(device.type, dtype=kind, enabled=kind is not torch.float32)

    def scaler(self, device: torch.device) -> torch.amp.GradScaler:
        """What keeps small gradients of fp16 from vanishing; does nothing for other numbers."""
        return torch.amp.GradScaler(device.type, enabled=self.kind(device) is torch.float16)


def channels_last(dimensions: int) -> torch.memory_format:
    """The memory layout in which convolutions of two or three dimensions are fastest."""
    return torch.channels_last_3d if dimensions == 3 else torch.channels_last


def laid_out(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on `device`, its kernels in the fastest layout."""
    for parameter in network.parameters():
        if parameter.ndim >= 4:
            parameter.data = parameter.data.contiguous(memory_format=channels_last(parameter.ndim - 2))
    return network.to(device)


def compiled(network: nn.Module, device: torch.device) -> nn.Module:
    """The network compiled by torch, with the same weights.

    Raises:
        RejectedInput: The processor's compiler is missing (``compiler-missing``).
    """
    if device.type == "cpu" and not any(map(shutil.which, ("g++", "clang++"))):
        raise RejectedInput(
            "compiler-missing",
            "Compiling a network needs a C++ compiler on this machine.",
            remedy="Install g++, or leave --compile out.",
        )
    # mypy takes the answer for a function
    found: Any = torch.compile(network)
    return found


def half_precision(network: nn.Module) -> dict[str, NDArray[Any]]:
    """The network's tensors as packages keep them: floating point numbers in half precision."""
    tensors = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    return {name: (each.half() if each.is_floating_point() else each).numpy() for name, each in tensors.items()}


def served_tensors(network: nn.Module, served: nn.Module) -> dict[str, NDArray[Any]]:
    """Those tensors that a network has in service, too, in half precision; heads that only teach are left out."""
    names = served.state_dict().keys()
    return {name: tensor for name, tensor in half_precision(network).items() if name in names}
