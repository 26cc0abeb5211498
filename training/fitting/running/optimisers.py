"""Optimisers and schedules of the learning rate that a training may have. Imports torch."""

import math
from collections.abc import Iterable
from enum import StrEnum

import torch

_MOMENTUM = 0.99
"""Of gradient descent (nnU-Net)."""

_POWER = 0.9
"""Of the polynomial schedule (nnU-Net)."""


class Optimiser(StrEnum):
    """What makes a step of a gradient."""

    ADAMW = "adamw"
    """Decay of the weights apart from the gradient."""

    ADAM = "adam"
    """MSTT-199's; a decay is part of the gradient."""

    SGD = "sgd"
    """Gradient descent with Nesterov's momentum of 0.99 (nnU-Net)."""


class Schedule(StrEnum):
    """How the learning rate changes over a training."""

    COSINE = "cosine"
    """Rises over the first twentieth, then falls to zero as a cosine."""

    CONSTANT = "constant"
    """Stays (MSTT-199)."""

    POLY = "poly"
    """Falls to zero as the power 0.9 of what is left (nnU-Net)."""


def share_of_rate(schedule: Schedule, done: int, *, iterations: int) -> float:
    """Share (0..1) of the highest learning rate after `done` of a training's iterations."""
    if schedule is Schedule.CONSTANT:
        return 1.0
    if schedule is Schedule.POLY:
        return float((1.0 - min(done / iterations, 1.0)) ** _POWER)
    rising = max(iterations // 20, 1)
    if done < rising:
        return (done + 1) / rising
    share = (done - rising) / max(iterations - rising, 1)
    return 0.5 * (1.0 + math.cos(math.pi * share))


def optimiser_of(
    kind: Optimiser, parameters: Iterable[torch.nn.Parameter], *, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """An optimiser of those parameters that learn."""
    group = {"params": [each for each in parameters if each.requires_grad], "initial_lr": learning_rate}
    if kind is Optimiser.SGD:
        return torch.optim.SGD([group], lr=learning_rate, momentum=_MOMENTUM, nesterov=True, weight_decay=weight_decay)
    made = torch.optim.Adam if kind is Optimiser.ADAM else torch.optim.AdamW
    # One pass over each weight and its moments instead of a dozen.
    return made([group], lr=learning_rate, weight_decay=weight_decay, fused=True)
