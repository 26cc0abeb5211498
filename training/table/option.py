"""Option: a setting of a method's training that `train_model` takes, and those that several methods share."""

from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from datasets.errors import RejectedInput


@dataclass(frozen=True)
class Option:
    """One setting: a number, or sizes along some axes.

    Args:
        name: As Python writes it; the command line has hyphens (``--click-free``).
        help: What it is, in a phrase.
        default: Its value where nobody gives one; None for the method's own.
        is_whole: Whether it is a whole number.
        least: Smallest value.
        most: Largest value.
        axes: Number of sizes, for one that is a size along each axis; 0 for a number.
    """

    name: str
    help: str
    default: Any = None
    is_whole: bool = False
    least: float = 0.0
    most: float = inf
    axes: int = 0

    def read(self, text: str) -> Any:
        """The value that a text holds, such as ``0.25``, or ``48,48,32`` for sizes.

        Raises:
            ValueError: It holds none.
        """
        if self.axes:
            return tuple(int(size) for size in text.split(","))
        return int(text) if self.is_whole else float(text)

    def require(self, value: Any) -> None:
        """Refuses a value out of range; None is the method's own.

        Raises:
            RejectedInput: Another number of sizes (``fit-canvas``), or a number out of range (``fit-settings``).
        """
        if value is None:
            return
        if self.axes:
            if len(value) != self.axes or not all(self._fits(size) for size in value):
                raise RejectedInput(
                    f"fit-{self.name}",
                    f"Expected {self.axes} sizes of at least {self.least:g} for {self.flag}, got {len(value)}.",
                    remedy="Correct the sizes, or leave them out.",
                )
        elif not self._fits(value):
            upper = f" to {self.most:g}" if isfinite(self.most) else " or more"
            raise RejectedInput(
                "fit-settings",
                f"Expected {self.least:g}{upper} for {self.flag}, got {value}.",
                remedy="Correct the number, or leave it out.",
            )

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    def _fits(self, value: float) -> bool:
        return self.least <= value <= self.most


def canvas(axes: int) -> Option:
    """Size of the canvas that a network sees, along each of `axes` axes."""
    return Option("canvas", "size of the network's canvas", is_whole=True, least=1, axes=axes)
