"""LoopSettings: length, rate and averaging of a training, and when it stops early. Imports torch."""

from dataclasses import asdict, dataclass
from typing import Any

from datasets.errors import RejectedInput
from training.fitting.running.optimisers import Optimiser, Schedule, share_of_rate


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
        accumulate: Batches whose gradients are added up before a step.
        patience: Looks at set-aside cases without a better loss after which a training stops; None for no early stop.
        look_every: Iterations between two looks at set-aside cases.
    """

    iterations: int
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    averaging: float = 0.99
    seed: int = 0
    checkpoint_every: int = 50
    optimiser: Optimiser = Optimiser.ADAMW
    schedule: Schedule = Schedule.COSINE
    accumulate: int = 1
    patience: int | None = None
    look_every: int = 25

    def __post_init__(self) -> None:
        fit = self.iterations >= 1 and 0.0 < self.learning_rate < 1.0 and 0.0 <= self.averaging < 1.0
        counts = self.checkpoint_every, self.accumulate, self.look_every, 1 if self.patience is None else self.patience
        if not (fit and self.seed >= 0 and min(counts) >= 1 and self.weight_decay >= 0.0):
            raise RejectedInput(
                "fit-settings",
                "A training needs at least one iteration, a learning rate between 0 and 1, a seed of 0 or more, and "
                "counts of 1 or more.",
                remedy="Correct the settings.",
            )

    def share_of_rate(self, done: int) -> float:
        """Share (0..1) of the highest learning rate after `done` iterations."""
        return share_of_rate(self.schedule, done, iterations=self.iterations)

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON values; without what checkpoints of earlier versions do not have, where it is what they had."""
        return {name: value for name, value in asdict(self).items() if (name, value) not in _LATER.items()}


_LATER = {
    "optimiser": Optimiser.ADAMW,
    "schedule": Schedule.COSINE,
    "accumulate": 1,
    "patience": None,
    "look_every": 25,
}
"""Settings that earlier versions did not have, and what they did."""
