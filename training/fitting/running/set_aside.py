"""Looks at set-aside cases while a network learns, and the early stop that comes of them. Imports torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.fitting.running.processes import Processes
from training.fitting.running.running import Learn, Learned
from training.fitting.running.settings import LoopSettings
from training.fitting.running.state import State, under

_DRAWS = 16
"""Batches of each look; the same at every look, so that looks can be compared."""

_BEST = "best/"


@dataclass(frozen=True)
class Look:
    """What a look at set-aside cases found.

    Args:
        loss: Mean over the batches.
        dice: Mean over the examples that hold a tumour; NaN where the method does not tell it.
        last: The last answer, for pictures; None where the method does not tell it.
    """

    loss: float
    dice: float
    last: Learned | None = None


@dataclass(eq=False)
class SetAside:
    """Set-aside cases of one fit.

    Args:
        learn: As the fit's, on set-aside cases; None where no case is set aside.
        settings: Of the fit.
        processes: Those that fit.
        shown: Makes what is called in a network's stead, such as the compiled one.
    """

    learn: Learn | None
    settings: LoopSettings
    processes: Processes
    shown: Callable[[nn.Module], nn.Module] = lambda network: network
    losses: list[float] = field(default_factory=list)
    best: dict[str, Tensor] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the fit has waited long enough for a better loss."""
        patience = self.settings.patience
        if patience is None or self.learn is None or not self.losses:
            return False
        return len(self.losses) - 1 - int(np.argmin(self.losses)) >= patience

    def looked(self, state: State, done: int) -> Look | None:
        """A look after `done` iterations, where one is due."""
        is_last = done == self.settings.iterations
        if self.learn is None or (done % self.settings.look_every and not is_last):
            return None
        found = self._look(state.mean, self.learn) if self.processes.is_first else Look(0.0, 0.0)
        # One process decides for all: others may round otherwise.
        device = str(next(state.mean.parameters()).device)
        loss, dice = self.processes.told_by_first([found.loss, found.dice], device)
        if not self.losses or loss < min(self.losses):
            self.best = {name: tensor.detach().clone() for name, tensor in state.mean.state_dict().items()}
        self.losses.append(loss)
        return Look(loss, dice, found.last)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps of it."""
        return {f"{_BEST}{name}": tensor for name, tensor in (self.best or {}).items()}

    @property
    def described(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return {"looks": self.losses} if self.losses else {}

    def restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Takes up what a checkpoint kept."""
        self.losses = [float(loss) for loss in about.get("looks", [])]
        self.best = under(_BEST, tensors) or None

    @torch.no_grad()
    def _look(self, network: nn.Module, learn: Learn) -> Look:
        was_training = network.training
        network.eval()
        # Its parts are in evaluation mode; itself it answers with all its heads, as the loss expects.
        network.training = True
        losses, overlaps, last = [], [], None
        for number in range(_DRAWS):
            torch.manual_seed(number)
            for each in learn(self.shown(network), np.random.default_rng([self.settings.seed, number, 1])):
                losses.append(float(loss_of(each)))
                if isinstance(each, Learned):
                    overlaps.extend(dice_of(each))
                    last = each
        network.train(was_training)
        return Look(float(np.mean(losses)), float(np.mean(overlaps)) if overlaps else float("nan"), last)


def loss_of(learned: Tensor | Learned) -> Tensor:
    """The loss of an answer."""
    return learned.loss if isinstance(learned, Learned) else learned


def dice_of(learned: Learned) -> list[float]:
    """Dice of each example that holds a tumour."""
    drawn, truth = learned.logits.detach().flatten(1) > 0, learned.target.flatten(1) > 0.5
    shared = 2.0 * (drawn & truth).sum(1) / (drawn.sum(1) + truth.sum(1)).clamp_min(1)
    return [float(one) for one, holds in zip(shared, truth.any(1), strict=True) if holds]
