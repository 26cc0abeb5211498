"""State: weights, their moving mean, the optimiser's moments, and their checkpoint. Imports torch."""

import errno
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from datasets.errors import RejectedInput
from datasets.files import write_bytes
from training.fitting.running.optimisers import optimiser_of
from training.fitting.running.processes import Processes
from training.fitting.running.settings import LoopSettings

_GRADIENT_LIMIT = 12.0
"""Norm beyond which a gradient is cut (nnU-Net)."""

_MOST_SKIPPED = 25
"""Steps in a row that fp16 may skip. Each halves the losses' scale; from 65536 it is far below 1 by then, so that it is
the gradients themselves that are not finite."""

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class State:
    """All that changes while a network is fitted.

    Args:
        network: On its device.
        settings: Rate and averaging.
        purpose: Digest of all else that the fit depends on, but for images and masks.
        inputs: Digest of images and masks; empty where nobody says.
        scaler: Of losses, for fp16.
        processes: Those that fit it.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: LoopSettings,
        purpose: str,
        *,
        inputs: str = "",
        scaler: torch.amp.GradScaler,
        processes: Processes,
    ) -> None:
        self.network = network
        self._settings = settings
        self._purpose = purpose
        self._inputs = inputs
        self._scaler = scaler
        self._processes = processes
        self._optimiser = optimiser_of(
            settings.optimiser,
            network.parameters(),
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self._skipped = 0
        self._average = AveragedModel(network, multi_avg_fn=_moving_mean(settings.averaging), use_buffers=True)
        self._average.update_parameters(network)  # the first update only copies: the mean starts from these weights

    @property
    def mean(self) -> nn.Module:
        """The network with the moving mean of the weights."""
        return self._average.module

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def schedule(self, *, done: int) -> LambdaLR:
        """The learning rate's schedule, after `done` iterations."""
        return LambdaLR(self._optimiser, self._settings.share_of_rate, last_epoch=done - 1)

    def step(self, losses: Iterable[tuple[Tensor, float]]) -> float | None:
        """One optimizer step.

        Args:
            losses: Of each portion of the batch with its share of the batch; each is made when the one before is used
                up, so that no two lie in memory.

        Returns:
            The loss of the batch; None where there was none.

        Raises:
            RejectedInput: Loss or gradient is not finite, in fp16 step after step (``fit-diverged``); the weights stay
                as they were.
        """
        value, any_loss = 0.0, False
        for loss, share in losses:
            if not any_loss:
                self._optimiser.zero_grad()
            any_loss = True
            value += float(loss.detach()) * share
            # A whole batch is not multiplied: the graph stays as the loss made it.
            self._scaler.scale(loss if share == 1.0 else loss * share).backward()
        if not any_loss:
            return None
        gradients = [each.grad for each in self.network.parameters() if each.grad is not None]
        value = self._processes.added_up(gradients, value)
        if not math.isfinite(value):
            raise _diverged()
        self._scaler.unscale_(self._optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_LIMIT)
        # The scaler skips a step whose gradients are not finite, and makes the scale smaller.
        self._skipped = 0 if bool(torch.isfinite(norm)) else self._skipped + 1
        if self._skipped > (_MOST_SKIPPED if self._scaler.is_enabled() else 0):
            raise _diverged()
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._average.update_parameters(self.network)
        return value

    def leave(self, best: Mapping[str, Tensor] | None) -> None:
        """Puts the averaged weights into the network, or the best of them where others were better."""
        self.network.load_state_dict(self._average.module.state_dict() if best is None else best)

    def keep(self, path: Path, losses: list[float], others: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Writes the checkpoint, whole or not at all.

        Args:
            path: Where.
            losses: Of all iterations.
            others: More tensors, by names that no other begins with.
            about: More plain JSON values.

        Raises:
            RejectedInput: The disk is full (``fit-disk-full``); the former checkpoint stays.
        """
        from safetensors.torch import save

        tensors = {f"network/{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"average/{name}": tensor for name, tensor in self._average.module.state_dict().items()}
        for number, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{key}": torch.as_tensor(value) for key, value in moments.items()}
        steps = int(self._average.n_averaged) - 1
        told = {"settings": self._settings.described, "purpose": self._purpose, "steps": steps, "losses": losses}
        told |= {"inputs": self._inputs} if self._inputs else {}
        told |= {"scaler": self._scaler.state_dict()} if self._scaler.is_enabled() else {}
        whole = {name: each.detach().cpu().contiguous().clone() for name, each in {**tensors, **others}.items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, save(whole, metadata={"about": json.dumps({**told, **about})}))
        except OSError as error:
            if error.errno not in _NO_SPACE:
                raise
            raise RejectedInput(
                "fit-disk-full",
                "The disk is full: the training stopped at a checkpoint that could not be written.",
                remedy="Make room and run the command again; it goes on from the checkpoint before.",
            ) from error

    def restore(self, path: Path) -> tuple[list[float], dict[str, Tensor], dict[str, Any]]:
        """Loads a checkpoint; returns its losses, all its tensors, and what it says.

        Raises:
            RejectedInput: It is damaged, or another training's (``fit-checkpoint``).
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as opened:
                about = json.loads(opened.metadata()["about"])
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            # Older checkpoints have no purpose, or no inputs; they are accepted.
            told = (about["settings"], about.get("purpose", self._purpose), about.get("inputs", self._inputs))
            if told != (self._settings.described, self._purpose, self._inputs):
                raise ValueError("settings")
            self._take(tensors)
            self._average.n_averaged.fill_(int(about["steps"]) + 1)
            if self._scaler.is_enabled() and "scaler" in about:
                self._scaler.load_state_dict(about["scaler"])
            return [float(loss) for loss in about["losses"]], tensors, about
        except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise RejectedInput(
                "fit-checkpoint",
                f"The checkpoint {'/'.join(path.parts[-4:])} is damaged, or belongs to a training with other settings, "
                "images or masks.",
                remedy="Remove this file to begin anew, or give the settings and files it was made with. Trainings on "
                "approved masks keep theirs in data/training.",
            ) from error

    def _take(self, tensors: dict[str, Tensor]) -> None:
        self.network.load_state_dict(under("network/", tensors))
        self._average.module.load_state_dict(under("average/", tensors))
        learning = self._optimiser.param_groups[0]["params"]
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in under("optimizer/", tensors).items():
            number, key = name.split("/")
            moments.setdefault(int(number), {})[key] = _laid_as(tensor, learning[int(number)])
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": moments})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _laid_as(tensor: Tensor, weight: Tensor) -> Tensor:
    """A checkpoint's moments in the memory layout of their weight: a fused optimiser goes through both as they lie."""
    return torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor


def _diverged() -> RejectedInput:
    return RejectedInput(
        "fit-diverged",
        "The training diverged: its loss or gradients are not finite any more.",
        remedy="Choose a smaller learning rate.",
    )


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
