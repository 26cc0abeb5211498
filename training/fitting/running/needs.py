"""What a training needs of memory, before it begins. Imports torch.

One iteration is done with a network that only counts: on torch's meta device, which knows shapes and holds no numbers.
What it would keep for the way back is added up; weights, gradients, moments and means are added to it.
"""

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from datasets.errors import RejectedInput
from training.fitting.running.running import Learn

_COPIES = 5
"""Of the weights: themselves, their gradients, two moments, their mean."""

_ON_TOP = 1.35
"""The way back holds gradients of activations beside them: an allowance."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Need:
    """Bytes that a training needs on its device.

    Args:
        weights: Weights, gradients, moments, mean.
        kept: What layers keep of one portion of a batch.
    """

    weights: int
    kept: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kept


def need_of(network: nn.Module, learn: Learn, random: np.random.Generator, *, share: float = 1.0) -> Need | None:
    """What one iteration needs; None for networks that only run on real numbers.

    Args:
        network: Not changed.
        learn: One iteration.
        random: Of the iteration.
        share: Bytes of a kept number, of 32 bits: half in bf16 and fp16.
    """
    weights = _COPIES * sum(each.numel() * each.element_size() for each in network.parameters())
    counting = _Counting(network)
    try:
        next(iter(learn(counting, random)), None)
    except Exception as error:  # an estimate ends no training; what is wrong shows in the first iteration
        _LOG.info("The memory of this network cannot be estimated (%s).", type(error).__name__)
        return None
    return Need(weights, int(_ON_TOP * share * counting.kept))


def require_memory(need: Need | None, free: int, smaller: tuple[str, ...]) -> None:
    """Refuses a training that does not fit.

    Args:
        need: What it needs; None where nobody knows.
        free: Bytes that are free.
        smaller: Options that make it smaller, by their flags.

    Raises:
        RejectedInput: ``fit-memory``.
    """
    if need is None or need.total <= free:
        return
    options = f"Give a smaller {' or '.join(smaller)}" if smaller else "Train on a machine with more memory"
    raise RejectedInput(
        "fit-memory",
        f"The training needs about {_gb(need.total)} of memory (weights {_gb(need.weights)}, activations "
        f"{_gb(need.kept)}), and {_gb(free)} are free.",
        remedy=f"{options}, or end other programs.",
    )


def _gb(number: int) -> str:
    return f"{number / 1e9:.1f} GB"


class _Counting(nn.Module):
    """Stands in for a network: answers zeros of the right shape and adds up what the network would keep."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._inner = [copy.deepcopy(network).to("meta").train()]  # in a list: no part of this module
        self.kept = 0

    def forward(self, *inputs: Any) -> Any:
        device = next((each.device for each in inputs if isinstance(each, Tensor)), torch.device("cpu"))
        seen = {each.untyped_storage()._cdata for each in self._inner[0].parameters()}

        def count(tensor: Tensor) -> Tensor:
            # A tensor that two layers keep is kept once; weights are counted elsewhere.
            place = tensor.untyped_storage()._cdata
            if place not in seen:
                seen.add(place)
                self.kept += tensor.untyped_storage().nbytes()
            return tensor

        shown = tree_map(lambda each: each.to("meta") if isinstance(each, Tensor) else each, inputs)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            answer = self._inner[0](*shown)
        return tree_map(_zeros_like(device), answer)


def _zeros_like(device: torch.device) -> Callable[[Any], Any]:
    def zeros(each: Any) -> Any:
        return torch.zeros(each.shape, device=device, requires_grad=True) if isinstance(each, Tensor) else each

    return zeros
