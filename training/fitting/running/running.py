"""Running: how a training runs, apart from what it learns; and the names of what its parts hand each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from training.fitting.running.prepared import PreparedCases

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from training.fitting.examples import Example

FitProgress = Callable[[int, int, float], None]
"""Called with (done, to do, loss) after every iteration or step; what it raises stops the fit."""


class Learned(NamedTuple):
    """What a network answered, and how well.

    Args:
        loss: To be made small.
        images: (B, C, …), as the network was shown them.
        logits: (B, 1, …).
        target: (B, 1, …) of 0 and 1.
    """

    loss: "Tensor"
    images: "Tensor"
    logits: "Tensor"
    target: "Tensor"


Learn = Callable[["nn.Module", np.random.Generator], "Iterator[Tensor | Learned]"]
"""One iteration: yields a loss for every optimizer step it asks for; the step is done before the next loss is made."""


@dataclass(frozen=True, eq=False)
class Running:
    """How a training runs; nothing of it changes what is learned, but for the rounding of numbers.

    Args:
        precision: In what numbers networks multiply, a value of `training.fitting.running.layout.NumberFormat`.
        compiles: Whether networks are compiled before they learn.
        board: Folder of what TensorBoard shows; None for none.
        prepared: Where cases are kept as networks see them; None for nowhere.
        inputs: Digest of the images and masks that are learned from, by which a checkpoint is known
            (`training.fitting.prepared_examples.inputs_of`); empty where nobody says.
        aside: Examples of patients who are set aside, to stop early.
        smaller: Options that make a step smaller, by their flags, for people whose memory is too small.
    """

    precision: str = "auto"
    compiles: bool = False
    board: Path | None = None
    prepared: PreparedCases | None = None
    inputs: str = ""
    aside: "Sequence[Example]" = ()
    smaller: tuple[str, ...] = ()

    def mixed(self, device: "torch.device") -> Any:
        """The block in which a network answers in the chosen numbers."""
        from training.fitting.running.layout import NumberFormat

        return NumberFormat(self.precision).mixed(device)

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON values: the precision that was asked for, the numbers that this is here, what is compiled."""
        from training.fitting.running.layout import NumberFormat
        from training.segmenters.weights import best_device

        numbers = str(NumberFormat(self.precision).kind(best_device())).removeprefix("torch.")
        return {"precision": self.precision, "numbers": numbers, "compiled": self.compiles}

    @property
    def aside_cases(self) -> dict[str, list[str]]:
        """The set-aside cases, as `fit_network` takes them in `about`; nothing where there are none."""
        # Called as in checkpoints of earlier versions.
        return {"held": sorted(example.case for example in self.aside)} if self.aside else {}

    def of_network(self, name: str) -> "Running":
        """The same for one of several networks of a training, with a board of its own."""
        return self if self.board is None else replace(self, board=self.board / name)


ALONE = Running()
"""As trainings run where nobody asks for anything."""
