"""The training loop of all prompted methods: AdamW, cosine schedule, averaged weights, a checkpoint to go on from.

Imports torch: imported where something is fitted. Every random choice of iteration `n` comes from (seed, n), so a run
that was stopped goes on as if it had not been.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, write_bytes

FitProgress = Callable[[int, int, float], None]
"""Called after every iteration with the number done, of all, and the iteration's mean loss."""

Learn = Callable[[nn.Module, np.random.Generator], Iterator[Tensor]]
"""One iteration: yields a loss for every optimizer step it asks for; the step is done before the next loss is made."""

_GRADIENT_LIMIT = 12.0
"""Norm beyond which a gradient is cut (nnU-Net)."""


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast.

    Args:
        iterations: Iterations; one may hold several optimizer steps.
        learning_rate: Highest step size of AdamW; it rises over the first twentieth and falls to zero as a cosine.
        weight_decay: Of AdamW.
        averaging: Decay of the running mean of the weights, which is what comes out.
        seed: Decides first weights and every random choice.
        checkpoint_every: Iterations between two checkpoints.
    """

    iterations: int
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    averaging: float = 0.99
    seed: int = 0
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        fit = self.iterations >= 1 and 0.0 < self.learning_rate < 1.0 and 0.0 <= self.averaging < 1.0
        if not (fit and self.seed >= 0 and self.checkpoint_every >= 1 and self.weight_decay >= 0.0):
            raise RejectedInput(
                "fit-settings",
                "Expected at least one iteration, a learning rate between 0 and 1 and a seed from 0, got others.",
                remedy="Correct the settings.",
            )

    def rate(self, done: int) -> float:
        """Learning rate after `done` iterations."""
        rising = max(self.iterations // 20, 1)
        if done < rising:
            return self.learning_rate * (done + 1) / rising
        share = (done - rising) / max(self.iterations - rising, 1)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))


def fit_network(
    network: nn.Module,
    learn: Learn,
    settings: LoopSettings,
    *,
    checkpoint: Path | None = None,
    progress: FitProgress | None = None,
    about: Mapping[str, Any] | None = None,
) -> list[float]:
    """Fits `network`, leaving the averaged weights in it.

    Args:
        network: On its device; its weights are the start unless there is a checkpoint.
        learn: One iteration.
        settings: How long and how fast.
        checkpoint: File to go on from and to keep up to date; None for none.
        progress: Told about every iteration; what it raises stops the fit (the last checkpoint stays).
        about: What else the fit depends on, as plain JSON values: a checkpoint of anything else is refused.

    Returns:
        Mean loss of each iteration.

    Raises:
        RejectedInput: A loss is not finite, or the checkpoint belongs to another network or other settings.
    """
    state = _State(network, settings, sha256_of_bytes(canonical_json(about or {})))
    losses = state.restore(checkpoint) if checkpoint is not None and checkpoint.exists() else []
    network.train()
    for iteration in range(len(losses), settings.iterations):
        random = np.random.default_rng([settings.seed, iteration])
        torch.manual_seed(int(random.integers(2**31)))
        losses.append(float(np.mean([state.step(loss, iteration) for loss in learn(network, random)])))
        if checkpoint is not None and ((iteration + 1) % settings.checkpoint_every == 0):
            state.keep(checkpoint, losses)
        if progress is not None:
            progress(iteration + 1, settings.iterations, losses[-1])
    state.leave_average()
    network.eval()
    return losses


class _State:
    """Weights, their running mean and the optimizer's moments."""

    def __init__(self, network: nn.Module, settings: LoopSettings, purpose: str) -> None:
        self._network = network
        self._settings = settings
        self._purpose = purpose
        self._optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self._steps = 0

    def step(self, loss: Tensor, iteration: int) -> float:
        """One optimizer step."""
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RejectedInput(
                "fit-diverged",
                "Expected a finite loss, got one that is not.",
                remedy="Choose a smaller learning rate.",
            )
        for group in self._optimiser.param_groups:
            group["lr"] = self._settings.rate(iteration)
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), _GRADIENT_LIMIT)
        self._optimiser.step()
        self._steps += 1
        # The mean forgets the first weights at once and the later ones ever more slowly.
        kept = min(self._settings.averaging, (1 + self._steps) / (10 + self._steps))
        with torch.no_grad():
            for name, tensor in self._network.state_dict().items():
                if tensor.is_floating_point():
                    self._average[name].lerp_(tensor, 1.0 - kept)
                else:
                    self._average[name].copy_(tensor)
        return value

    def leave_average(self) -> None:
        """Puts the averaged weights into the network."""
        self._network.load_state_dict(self._average)

    def keep(self, path: Path, losses: list[float]) -> None:
        """Writes the checkpoint, whole or not at all."""
        from safetensors.torch import save

        tensors = {f"network/{name}": tensor for name, tensor in self._network.state_dict().items()}
        tensors |= {f"average/{name}": tensor for name, tensor in self._average.items()}
        for number, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{key}": torch.as_tensor(value) for key, value in moments.items()}
        about = {"settings": asdict(self._settings), "purpose": self._purpose, "steps": self._steps, "losses": losses}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        write_bytes(path, save(whole, metadata={"about": json.dumps(about)}))

    def restore(self, path: Path) -> list[float]:
        """Takes up a checkpoint; its losses."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as opened:
                about = json.loads(opened.metadata()["about"])
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            # Checkpoints of before the purpose was kept go on.
            if about["settings"] != asdict(self._settings) or about.get("purpose", self._purpose) != self._purpose:
                raise ValueError("settings")
            self._take(tensors)
            self._steps = int(about["steps"])
            return [float(loss) for loss in about["losses"]]
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RejectedInput(
                "fit-checkpoint",
                "Expected a checkpoint of this training, got one of another training or a damaged one.",
                remedy="Remove the checkpoint to begin anew, or give the settings it was made with.",
            ) from error

    def _take(self, tensors: dict[str, Tensor]) -> None:
        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        self._network.load_state_dict(under("network/"))
        for name, tensor in under("average/").items():
            self._average[name].copy_(tensor)
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in under("optimizer/").items():
            number, key = name.split("/")
            moments.setdefault(int(number), {})[key] = tensor
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": moments})


def channels_last(dimensions: int) -> torch.memory_format:
    """The memory layout in which convolutions of two or three dimensions are fastest."""
    return torch.channels_last_3d if dimensions == 3 else torch.channels_last


def laid_out(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on `device`, its kernels in the fastest layout."""
    for parameter in network.parameters():
        if parameter.ndim >= 4:
            parameter.data = parameter.data.contiguous(memory_format=channels_last(parameter.ndim - 2))
    return network.to(device)


def mixed_precision(device: torch.device) -> Any:
    """bf16 where it is fast: on a GPU, and on a processor that multiplies bf16 itself; else full precision."""
    fast = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=fast)


def half_precision(network: nn.Module) -> dict[str, NDArray[Any]]:
    """The network's tensors as packages keep them: floating point numbers in half precision."""
    tensors = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    return {name: (each.half() if each.is_floating_point() else each).numpy() for name, each in tensors.items()}
