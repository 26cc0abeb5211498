"""Option: a setting of a method's training that `train_model` takes, and those that several methods share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import Any

from datasets.errors import RejectedInput
from datasets.files import sha256_of_file

FIRST_WEIGHTS = "first_weights"
"""Parameter of a package: SHA-256 of the published weights that its network began with."""


@dataclass(frozen=True)
class Option:
    """One setting: a number, sizes along some axes, one of several words, or a file.

    Args:
        name: As Python writes it; the command line has hyphens (``--click-free``).
        help: What it is, in a phrase.
        default: Its value where nobody gives one; None for the method's own.
        is_whole: Whether it is a whole number.
        least: Smallest value.
        most: Largest value.
        axes: Number of sizes, for one that is a size along each axis; 0 for a number.
        words: The words of which it is one, each with its meaning; empty for a number.
        is_file: Whether it is the path of a file; a package keeps the file's digest as `FIRST_WEIGHTS`, not the path.
    """

    name: str
    help: str
    default: Any = None
    is_whole: bool = False
    least: float = 0.0
    most: float = inf
    axes: int = 0
    words: Mapping[str, str] = field(default_factory=dict, hash=False)
    is_file: bool = False

    def read(self, text: str) -> Any:
        """The value that a text holds, such as ``0.25``, or ``48,48,32`` for sizes.

        Raises:
            ValueError: It holds none.
        """
        if self.words or self.is_file:
            return text
        if self.axes:
            return tuple(int(size) for size in text.split(","))
        return int(text) if self.is_whole else float(text)

    def require(self, value: Any) -> None:
        """Refuses a value out of range; None is the method's own.

        Raises:
            RejectedInput: Another number of sizes (``fit-canvas``), a number out of range, or none of the words
                (``fit-settings``).
        """
        if value is None or self.is_file:
            return
        if self.words:
            if value not in self.words:
                raise RejectedInput(
                    "fit-settings",
                    f"Expected {' or '.join(self.words)} for {self.flag}, got {value!r}.",
                    remedy="Give one of these words, or leave it out.",
                )
        elif self.axes:
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

    def digest(self, path: str) -> str:
        """SHA-256 of its file.

        Raises:
            RejectedInput: The file cannot be read (``option-file``).
        """
        try:
            return sha256_of_file(Path(path))
        except OSError as error:
            raise RejectedInput(
                "option-file", f"The file of {self.flag} cannot be read.", remedy="Correct the path, or leave it out."
            ) from error

    @property
    def meanings(self) -> str:
        """What it is, and the meaning of each of its words."""
        listed = "; ".join(f"{word}: {meaning}" for word, meaning in self.words.items())
        return f"{self.help} ({listed})" if listed else self.help

    @property
    def default_text(self) -> str:
        """Its default as the command line shows it; empty where it is the method's own."""
        if self.default is None:
            return ""
        return str(self.default) if self.words else f"{self.default:g}"

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    def _fits(self, value: float) -> bool:
        return self.least <= value <= self.most


def canvas(axes: int) -> Option:
    """Size of the canvas that a network sees, along each of `axes` axes."""
    return Option("canvas", "size of the network's canvas", is_whole=True, least=1, axes=axes)


@dataclass(frozen=True)
class Preset:
    """Settings of a training under one name.

    Args:
        help: What they are, in a phrase.
        options: Values of the method's options, by name.
    """

    help: str
    options: Mapping[str, Any]
