"""TrainingChoice, what a person asks of a training, and Trained, what comes of it. No torch here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.image.mask import TUMOUR
from datasets.study.image_kind import T1
from training.inputs.kinds import require_kinds
from training.model_package import ModelDescription, Tensors
from training.table.method import Method
from training.table.option import FIRST_WEIGHTS, Option
from training.table.table import method_called, trainable_methods

if TYPE_CHECKING:
    from training.fitting.examples import Example
    from training.fitting.running.running import FitProgress, Running

MOST_ACCUMULATED = 4096
"""Batches a step: each is listed before the first is drawn."""


@dataclass(frozen=True)
class TrainingChoice:
    """Method and settings of a training.

    Args:
        method: One that is trained on images and masks.
        channels: Kinds of the images (`datasets.study.image_kind`).
        iterations: Of the network; None for the method's own number.
        seed: Of every random choice.
        label: Name of the label that the masks hold.
        options: The method's own options, by name; its defaults for those that are left out.
        accumulate: Batches whose gradients are added up before a step.
        patience: Looks at set-aside patients without a better loss after which it stops; None for no early stop.

    Raises:
        RejectedInput: The method cannot be trained, has no such option, or a number is out of range.
    """

    method: Method
    channels: tuple[str, ...] = (T1,)
    iterations: int | None = None
    seed: int = 0
    label: str = TUMOUR
    options: Mapping[str, Any] = field(default_factory=dict)
    accumulate: int = 1
    patience: int | None = None

    def __post_init__(self) -> None:
        if not self.method.fit:
            raise RejectedInput(
                "method-not-trainable",
                f"Expected one of {', '.join(map(str, trainable_methods()))}, got {self.method}.",
                remedy="Train one of these; MedSAM's weights are converted instead.",
            )
        if min(each for each in (self.iterations, self.patience, self.accumulate) if each is not None) < 1:
            raise RejectedInput(
                "fit-settings",
                "A training needs at least one iteration, one batch a step, and a patience of one or more.",
                remedy="Give a positive number.",
            )
        if self.accumulate > MOST_ACCUMULATED:
            raise RejectedInput(
                "fit-settings",
                f"Expected 1 to {MOST_ACCUMULATED} batches a step, got {self.accumulate}.",
                remedy="Give a smaller --accumulate.",
            )
        require_kinds(self.channels)
        known = {option.name: option for option in self.method.options}
        if unknown := sorted(self.options.keys() - known.keys()):
            raise RejectedInput(
                "fit-option",
                f"{self.method} has no {' and no '.join(unknown)}.",
                remedy=f"Leave it out; its options are: {', '.join(known) or 'none'}.",
            )
        for name, value in self.options.items():
            known[name].require(value)
        if self.iterations is not None and self.options.get(_EPOCHS) is not None:
            raise RejectedInput(
                "fit-epochs",
                "A training lasts a number of iterations or of epochs, and both were given.",
                remedy="Leave --iterations or --epochs out.",
            )

    @classmethod
    def from_described(cls, values: Mapping[str, Any]) -> "TrainingChoice":
        """The choice that a package keeps; options that its method does not have are left out.

        Raises:
            RejectedInput: This version does not know the method.
            KeyError: A setting is missing.
        """
        method = method_called(values["method"])
        options = {option.name for option in method.options}
        if values["iterations"] is not None:
            options -= {_EPOCHS}  # of a preset
        return cls(
            method,
            channels=tuple(values["channels"]),
            iterations=values["iterations"],
            seed=values["seed"],
            label=values.get("label", TUMOUR),
            accumulate=values.get("accumulate", 1),
            patience=values.get("patience"),
            options={
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items()
                if name in options
            },
        )

    @property
    def own_iterations(self) -> int:
        """The iterations, the method's own number where none was given."""
        return self.iterations or self.method.iterations

    @property
    def loop(self) -> dict[str, Any]:
        """The settings of `LoopSettings` that all methods take from a person."""
        return {"accumulate": self.accumulate, "patience": self.patience}

    def with_preset(self, name: str) -> "TrainingChoice":
        """The same with the values of one of the method's presets, but for what was given: options, and iterations.

        Raises:
            RejectedInput: The method has no such preset (``fit-preset``).
        """
        presets = self.method.presets
        if name not in presets:
            raise RejectedInput(
                "fit-preset",
                f"{self.method} has no preset {name}.",
                remedy=f"Leave it out; its presets are: {', '.join(presets) or 'none'}.",
            )
        own = dict(presets[name].options)
        if self.iterations is not None:
            own.pop(_EPOCHS, None)
        return replace(self, options={**own, **self.options})

    def option(self, name: str) -> Any:
        """The value of one of the method's options, its default where none was given; None if it has none such."""
        defaults = {option.name: option.default for option in self.method.options}
        return self.options.get(name, defaults.get(name))

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON values."""
        named = {option.name: self.option(option.name) for option in self.method.options if not option.is_file}
        return {
            "method": self.method.name,
            "channels": list(self.channels),
            "iterations": self.iterations,
            "seed": self.seed,
            "label": self.label,
            **{name: value for name, value in self.loop.items() if value != _USUAL[name]},
        } | {name: list(value) if isinstance(value, tuple) else value for name, value in named.items()}

    def is_that_of(self, model: ModelDescription) -> bool:
        """Whether a model was trained with these settings and files; what only one of them has is ignored.

        Raises:
            RejectedInput: A file of an option cannot be read (``option-file``).
        """
        asked = _USUAL | json.loads(canonical_json(self.described))
        kept = _USUAL | model.parameters.get("fit", {}).get("choice", {})
        same = all(asked[name] == value for name, value in kept.items() if name in asked)
        return same and all(self._digest(each) == model.parameters.get(FIRST_WEIGHTS, "") for each in self._files)

    @property
    def _files(self) -> tuple[Option, ...]:
        return tuple(option for option in self.method.options if option.is_file)

    def _digest(self, option: Option) -> str:
        """Of the file that an option names; empty for none."""
        path = self.option(option.name)
        return option.digest(path) if path else ""


_EPOCHS = "epochs"
"""The option that a training's length may be given by instead of iterations."""

_USUAL = {"accumulate": 1, "patience": None}
"""Settings that are described only where they differ: trainings of earlier versions did not have them."""


class Fit(Protocol):
    """How a method is fitted."""

    def __call__(
        self,
        choice: TrainingChoice,
        examples: "Sequence[Example]",
        *,
        checkpoints: Path | None,
        progress: "FitProgress | None",
        running: "Running",
    ) -> "Trained":
        """Fits its networks.

        Args:
            choice: Settings.
            examples: Images with their masks.
            checkpoints: Folder of checkpoints, from which a stopped training goes on; None for none.
            progress: Called after every iteration; what it raises stops the fit.
            running: How it runs.

        Raises:
            RejectedInput: An image is missing, the loss diverged, or a checkpoint is another training's.
        """
        ...


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of one training.

    Args:
        choice: As given.
        parameters: Of the package, without those of the fit.
        networks: Tensors of each network: one, or several that belong together, in the order of the package.
        losses: Of each network's iterations.
        cases: Names of the cases it learned from.
    """

    choice: TrainingChoice
    parameters: Mapping[str, Any]
    networks: Sequence[Tensors]
    losses: Sequence[Sequence[float]]
    cases: tuple[str, ...] = ()


def checkpoint_in(folder: Path | None, name: str) -> Path | None:
    """The checkpoint of a network in a folder of checkpoints; None where none are kept."""
    return None if folder is None else folder / f"{name}.safetensors"
