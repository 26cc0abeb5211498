"""The training loop of all methods: an optimiser, its schedule, moving mean of the weights, checkpoints.

Imports torch: imported where something is fitted. Every random choice of iteration `n` comes from (seed, n), so a
training that was stopped and goes on from its checkpoint ends with the same weights.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes, write_bytes
from training.fitting.optimisers import Optimiser, Schedule, optimiser_of, share_of_rate

FitProgress = Callable[[int, int, float], None]
"""Called with (done, to do, loss) after every iteration or step; what it raises stops the fit."""

Learn = Callable[[nn.Module, np.random.Generator], Iterator[Tensor]]
"""One iteration: yields a loss for every optimizer step it asks for; the step is done before the next loss is made."""

_GRADIENT_LIMIT = 12.0
"""Norm beyond which a gradient is cut (nnU-Net)."""


@dataclass(frozen=True)
class LoopSettings:
    """Length, rate and averaging of a training.

    Args:
        iterations: Iterations; one may hold several optimizer steps.
        learning_rate: Highest step size of the optimiser.
        weight_decay: Of the optimiser.
        averaging: Decay of the moving mean of the weights; the mean is the trained network.
        seed: Seed of the first weights and of every random choice.
        checkpoint_every: Iterations between two checkpoints.
        optimiser: What makes a step of a gradient.
        schedule: How the learning rate changes.
    """

    iterations: int
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    averaging: float = 0.99
    seed: int = 0
    checkpoint_every: int = 50
    optimiser: Optimiser = Optimiser.ADAMW
    schedule: Schedule = Schedule.COSINE

    def __post_init__(self) -> None:
        fit = self.iterations >= 1 and 0.0 < self.learning_rate < 1.0 and 0.0 <= self.averaging < 1.0
        if not (fit and self.seed >= 0 and self.checkpoint_every >= 1 and self.weight_decay >= 0.0):
            raise RejectedInput(
                "fit-settings",
                "A training needs at least one iteration, a learning rate between 0 and 1, and a seed of 0 or more.",
                remedy="Correct the settings.",
            )

    def share_of_rate(self, done: int) -> float:
        """Share (0..1) of the highest learning rate after `done` iterations."""
        return share_of_rate(self.schedule, done, iterations=self.iterations)

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON values; without what checkpoints of earlier versions do not have, where it is what they had."""
        return {name: value for name, value in asdict(self).items() if (name, value) not in _LATER.items()}


_LATER = {"optimiser": Optimiser.ADAMW, "schedule": Schedule.COSINE}
"""Settings that earlier versions did not have, and what they did."""


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
        settings: Length, rate and averaging.
        checkpoint: File to go on from, and to update; None for none.
        progress: Called after every iteration; what it raises stops the fit (the last checkpoint stays).
        about: All else that the fit depends on, as plain JSON values; a checkpoint of another fit is refused.

    Returns:
        Mean loss of each iteration.

    Raises:
        RejectedInput: A loss is not finite, or the checkpoint belongs to another network or other settings.
    """
    state = _State(network, settings, sha256_of_bytes(canonical_json(about or {})))
    losses = state.restore(checkpoint) if checkpoint is not None and checkpoint.exists() else []
    schedule = state.schedule(done=len(losses))
    network.train()
    for iteration in range(len(losses), settings.iterations):
        random = np.random.default_rng([settings.seed, iteration])
        torch.manual_seed(int(random.integers(2**31)))
        losses.append(float(np.mean([state.step(loss) for loss in learn(network, random)])))
        schedule.step()
        if checkpoint is not None and ((iteration + 1) % settings.checkpoint_every == 0):
            state.keep(checkpoint, losses)
        if progress is not None:
            progress(iteration + 1, settings.iterations, losses[-1])
    state.leave_average()
    network.eval()
    return losses


class _State:
    """Weights, their moving mean and the optimizer's moments."""

    def __init__(self, network: nn.Module, settings: LoopSettings, purpose: str) -> None:
        self._network = network
        self._settings = settings
        self._purpose = purpose
        self._optimiser = optimiser_of(
            settings.optimiser,
            network.parameters(),
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self._average = AveragedModel(network, multi_avg_fn=_moving_mean(settings.averaging), use_buffers=True)
        self._average.update_parameters(network)  # the first update only copies: the mean starts from these weights

    def schedule(self, *, done: int) -> LambdaLR:
        """The learning rate's schedule, after `done` iterations."""
        return LambdaLR(self._optimiser, self._settings.share_of_rate, last_epoch=done - 1)

    def step(self, loss: Tensor) -> float:
        """One optimizer step."""
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RejectedInput(
                "fit-diverged",
                "The training diverged: its loss is not finite any more.",
                remedy="Choose a smaller learning rate.",
            )
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), _GRADIENT_LIMIT)
        self._optimiser.step()
        self._average.update_parameters(self._network)
        return value

    def leave_average(self) -> None:
        """Puts the averaged weights into the network."""
        self._network.load_state_dict(self._average.module.state_dict())

    def keep(self, path: Path, losses: list[float]) -> None:
        """Writes the checkpoint, whole or not at all."""
        from safetensors.torch import save

        tensors = {f"network/{name}": tensor for name, tensor in self._network.state_dict().items()}
        tensors |= {f"average/{name}": tensor for name, tensor in self._average.module.state_dict().items()}
        for number, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{key}": torch.as_tensor(value) for key, value in moments.items()}
        steps = int(self._average.n_averaged) - 1
        about = {"settings": self._settings.described, "purpose": self._purpose, "steps": steps, "losses": losses}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        write_bytes(path, save(whole, metadata={"about": json.dumps(about)}))

    def restore(self, path: Path) -> list[float]:
        """Loads a checkpoint; returns its losses."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as opened:
                about = json.loads(opened.metadata()["about"])
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            # Older checkpoints have no purpose; they are accepted.
            if about["settings"] != self._settings.described or about.get("purpose", self._purpose) != self._purpose:
                raise ValueError("settings")
            self._take(tensors)
            self._average.n_averaged.fill_(int(about["steps"]) + 1)
            return [float(loss) for loss in about["losses"]]
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RejectedInput(
                "fit-checkpoint",
                "The checkpoint is damaged, or belongs to another training.",
                remedy="Remove the checkpoint to begin anew, or give the settings it was made with.",
            ) from error

    def _take(self, tensors: dict[str, Tensor]) -> None:
        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        self._network.load_state_dict(under("network/"))
        self._average.module.load_state_dict(under("average/"))
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in under("optimizer/").items():
            number, key = name.split("/")
            moments.setdefault(int(number), {})[key] = tensor
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": moments})


def _moving_mean(most_kept: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """An update of the moving mean that forgets the first weights at once and later ones ever more slowly."""

    @torch.no_grad()
    def update(means: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        kept = min(most_kept, (1 + int(steps)) / (10 + int(steps)))
        for mean, weight in zip(means, weights, strict=True):
            if mean.is_floating_point():
                mean.lerp_(weight, 1.0 - kept)
            else:
                mean.copy_(weight)

    return update


def described_settings(settings: Any) -> dict[str, Any]:
    """The settings of a method's fit, a dataclass with its `loop`, as `fit_network` takes them in `about`."""
    return asdict(settings) | {"loop": settings.loop.described}


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
