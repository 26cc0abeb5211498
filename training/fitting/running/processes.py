"""Processes: one training in several processes, on several GPUs or machines, started by torchrun.

Every process draws its own share of each batch; gradients are added up, so all hold the same weights. Files and
database rows are written by the first process alone. Torch is imported where processes talk to each other.
"""

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from datasets.errors import RejectedInput

if TYPE_CHECKING:
    from torch import Tensor

_PATIENCE = timedelta(hours=2)
"""How long one process waits for another, such as for the first that writes packages."""


def is_first() -> bool:
    """Whether this process is the one that writes: the first of those that torchrun started, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0


@dataclass(frozen=True)
class Processes:
    """The processes of one training.

    Args:
        number: Of this one, from 0.
        count: All of them.
    """

    number: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes checkpoints."""
        return self.number == 0

    def added_up(self, gradients: Sequence["Tensor"], value: float) -> float:
        """Replaces gradients by their sums over all processes; returns the sum of `value`."""
        if self.count == 1:
            return value
        import torch
        from torch.distributed import all_reduce

        flat = torch.cat([each.reshape(-1).float() for each in gradients])
        # At the end lies the loss: one message an optimizer step.
        flat = torch.cat([flat, flat.new_tensor([value])])
        all_reduce(flat)
        at = 0
        for each in gradients:
            each.copy_(flat[at : at + each.numel()].view(each.shape))
            at += each.numel()
        return float(flat[-1])

    def told_by_first(self, values: Sequence[float], device: str) -> list[float]:
        """The numbers of the first process, in all of them."""
        if self.count == 1:
            return list(values)
        import torch
        from torch.distributed import broadcast

        told = torch.tensor(list(values), dtype=torch.float64, device=device)
        broadcast(told, src=0)
        return [float(each) for each in told]


def joined() -> Processes:
    """The processes that torchrun started, after they found each other; this one alone without torchrun.

    Raises:
        RejectedInput: The processes do not find each other (``processes-apart``).
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    return _joined(int(os.environ.get("RANK", "0")), count) if count > 1 else Processes()


@lru_cache(maxsize=1)
def _joined(number: int, count: int) -> Processes:
    import torch
    from torch import distributed

    on_gpus = torch.cuda.is_available() and os.environ.get("MASKLOOP_DEVICE") != "cpu"
    if on_gpus:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    try:
        distributed.init_process_group("nccl" if on_gpus else "gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise RejectedInput(
            "processes-apart",
            "The processes of the training do not find each other.",
            remedy="Start them with torchrun; on several machines with the same --rdzv-endpoint.",
        ) from error
    atexit.register(distributed.destroy_process_group)
    return Processes(number, count)


def require_shares(batch: int, accumulate: int, processes: Processes) -> None:
    """Refuses more processes than examples of a batch.

    Raises:
        RejectedInput: ``processes-batch``.
    """
    if batch * accumulate < processes.count:
        raise RejectedInput(
            "processes-batch",
            f"An optimizer step has {batch * accumulate} example(s), too few for {processes.count} processes.",
            remedy=f"Give --accumulate {-(-processes.count // batch)} or more, or start fewer processes.",
        )
