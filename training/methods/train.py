"""Training of prompted methods on a cohort: settings of each method, and its model package.

Torch is imported when something is fitted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.image.mask import TUMOUR
from datasets.study.image_kind import T1
from training.inputs.kinds import require_kinds
from training.model_package import Method, ModelDescription, Tensors, write_package
from training.networks.unet_plan import UNetPlan

if TYPE_CHECKING:
    from training.fitting.examples import Example
    from training.fitting.loop import FitProgress, LoopSettings

TRAINABLE = (Method.SIX_POINTS, Method.CLICKS_2D, Method.CLICKS_3D, Method.DEEPEDIT, Method.TWO_STAGE)
"""Methods that are trained on a cohort's images and masks alone."""

ITERATIONS = {
    Method.SIX_POINTS: 600,
    Method.CLICKS_2D: 1200,
    Method.CLICKS_3D: 900,
    Method.DEEPEDIT: 900,
    Method.TWO_STAGE: 350,
}
"""Iterations that two processor cores finish within minutes a fold; an iteration of two-stage and of clicks-2d holds an
optimizer step at each of its clicks, five or six on average."""

_AUTOMATIC_ITERATIONS = 700
"""Iterations of two-stage's first network."""


@dataclass(frozen=True)
class TrainingChoice:
    """Method and settings of a training.

    Args:
        method: One of `TRAINABLE`.
        channels: Kinds of the images (`datasets.study.image_kind`).
        iterations: Of the network that sees prompts; None for the method's own number.
        automatic_iterations: Of two-stage's first network; None for its own number.
        click_free: Share of iterations without clicks, for deepedit.
        canvas: Three sizes (two for clicks-2d); None for the method's own.
        seed: Of every random choice.
        label: Name of the label that the masks hold.

    Raises:
        RejectedInput: The method cannot be trained on a cohort, or a number is out of range.
    """

    method: Method
    channels: tuple[str, ...] = (T1,)
    iterations: int | None = None
    automatic_iterations: int | None = None
    click_free: float = 0.25
    canvas: tuple[int, ...] | None = None
    seed: int = 0
    label: str = TUMOUR

    def __post_init__(self) -> None:
        if self.method not in TRAINABLE:
            raise RejectedInput(
                "method-not-trainable",
                f"Expected one of {', '.join(TRAINABLE)}, got {self.method.value}.",
                remedy="Train the 2.5D U-Net on approved masks, and convert MedSAM's weights instead of training it.",
            )
        if any(count is not None and count < 1 for count in (self.iterations, self.automatic_iterations)):
            raise RejectedInput(
                "fit-settings", "A training needs at least one iteration.", remedy="Give a positive number."
            )
        require_kinds(self.channels)
        axes = 2 if self.method is Method.CLICKS_2D else 3
        if self.canvas is not None and (len(self.canvas) != axes or self.method is Method.SIX_POINTS):
            raise RejectedInput(
                "fit-canvas",
                "A canvas has two sizes for clicks-2d and three for the other click methods; six-points has none.",
                remedy="Correct the canvas, or leave it out.",
            )

    @property
    def described(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"method": self.method.value}

    def is_that_of(self, model: ModelDescription) -> bool:
        """Whether a model was trained with these settings; settings that did not exist then are ignored."""
        asked = json.loads(canonical_json(self.described))
        kept = model.parameters.get("fit", {}).get("choice", {})
        return all(asked.get(name) == value for name, value in kept.items())


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of one training.

    Args:
        choice: As given.
        parameters: Of the package, without those of the fit.
        networks: Tensors of each network: one, or for two-stage the refiner and the automatic one.
        losses: Of each network's iterations.
        cases: Names of the cases it learned from.
    """

    choice: TrainingChoice
    parameters: Mapping[str, Any]
    networks: Sequence[Tensors]
    losses: Sequence[Sequence[float]]
    cases: tuple[str, ...] = field(default=())


def train_method(
    choice: TrainingChoice,
    examples: "Sequence[Example]",
    *,
    checkpoints: Path | None = None,
    progress: "FitProgress | None" = None,
) -> Trained:
    """Trains one model of a method.

    Args:
        choice: Method and settings.
        examples: The training examples.
        checkpoints: Folder of checkpoints, from which a stopped training goes on; None for none.
        progress: Called after every iteration.

    Raises:
        RejectedInput: An image is missing, the loss diverged, or a checkpoint is another training's.
    """
    cases = tuple(sorted(example.case for example in examples))
    if choice.method is Method.SIX_POINTS:
        return replace(_six_points(choice, examples, checkpoints, progress), cases=cases)
    return replace(_clicks(choice, examples, checkpoints, progress), cases=cases)


def package_trained(
    members: Sequence[Trained],
    folder: Path,
    *,
    name: str,
    version: str,
    inputs: Mapping[str, str],
    parameters: Mapping[str, Any] | None = None,
) -> str:
    """Writes one training, or several with the same settings as an ensemble, as a package.

    Args:
        members: The trainings; all with the same settings.
        folder: Folder of the package.
        name: Kebab-case name.
        version: Its version.
        inputs: SHA-256 of the training's images and masks.
        parameters: Parameters that were decided after training, such as the cleaning; they replace the members' own.

    Returns:
        The package's digest.

    Raises:
        RejectedInput: The members' settings or plans differ, or another model lies at `folder`.
    """
    from training.segmenters.weights import as_members

    first = members[0]
    if any(replace(member.choice, seed=0) != replace(first.choice, seed=0) for member in members):
        raise RejectedInput(
            "members-differ",
            "The members of the ensemble were trained with different settings.",
            remedy="Train them with the same settings.",
        )
    # All refiners first, then all automatic networks, as the segmenters expect them.
    networks = [member.networks[kind] for kind in range(len(first.networks)) for member in members]
    fitted = [
        {"cases": list(each.cases), "last_loss": [round(losses[-1], 4) for losses in each.losses]} for each in members
    ]
    described = dict(first.parameters) | {"members": len(members)} | _own_plans(members) | dict(parameters or {})
    described["fit"] = {"choice": first.choice.described, "members": fitted}
    description = ModelDescription(
        name,
        version,
        first.choice.method,
        described,
        dict(inputs),
        images=first.choice.channels,
        label=first.choice.label,
    )
    return write_package(folder, description, as_members(networks))


def _own_plans(members: Sequence[Trained]) -> dict[str, Any]:
    """For six-points ensembles: the network plan of each fold, if the folds' plans differ.

    Raises:
        RejectedInput: The plans differ for another method, or in more than kernels and strides.
    """
    plans = [member.parameters.get("network") for member in members]
    if all(plan == plans[0] for plan in plans):
        return {}
    try:
        alike = {(plan.channels, plan.widths) for plan in map(UNetPlan.from_parameters, plans)}
    except RejectedInput:
        alike = set()
    if members[0].choice.method is not Method.SIX_POINTS or len(alike) != 1:
        raise RejectedInput(
            "members-differ",
            "The networks of the ensemble's members have different inputs or outputs.",
            remedy="Leave out the members whose plans differ.",
        )
    return {"networks": plans}


def _six_points(
    choice: TrainingChoice, examples: "Sequence[Example]", checkpoints: Path | None, progress: "FitProgress | None"
) -> Trained:
    from training.fitting.six_points import PointsSettings, fit_six_points

    settings = PointsSettings(loop=_loop(choice, choice.iterations), channels=choice.channels)
    plan, tensors, losses = fit_six_points(
        examples, settings, checkpoint=_file(checkpoints, "network"), progress=progress
    )
    return Trained(choice, plan.parameters, [tensors], [losses])


def _clicks(
    choice: TrainingChoice, examples: "Sequence[Example]", checkpoints: Path | None, progress: "FitProgress | None"
) -> Trained:
    from training.fitting.clicks import ClickSettings, fit_automatic, fit_refiner

    staged = choice.method is Method.TWO_STAGE
    flat = choice.method is Method.CLICKS_2D
    settings = ClickSettings(
        loop=_loop(choice, choice.iterations),
        channels=choice.channels,
        at_every_click=staged or flat,
        click_free=choice.click_free if choice.method is Method.DEEPEDIT else 0.0,
    )
    if flat:
        settings = replace(settings, canvas=(128, 128), widths=(16, 32, 64, 96, 128), batch=6)
    if choice.canvas is not None:
        settings = replace(settings, canvas=choice.canvas)
    first: Tensors | None = None
    first_losses: list[float] = []
    if staged:
        automatic = replace(settings, loop=_loop(choice, choice.automatic_iterations or _AUTOMATIC_ITERATIONS))
        first, first_losses = fit_automatic(
            examples, automatic, checkpoint=_file(checkpoints, "automatic"), progress=progress
        )
    tensors, losses = fit_refiner(
        examples, settings, automatic=first, checkpoint=_file(checkpoints, "refiner"), progress=progress
    )
    plan = settings.plan(automatic=staged)
    if first is None:
        return Trained(choice, plan.parameters, [tensors], [losses])
    return Trained(choice, plan.parameters, [tensors, first], [losses, first_losses])


def _loop(choice: TrainingChoice, iterations: int | None) -> "LoopSettings":
    from training.fitting.loop import LoopSettings

    return LoopSettings(iterations=iterations or ITERATIONS[choice.method], seed=choice.seed, learning_rate=3e-3)


def _file(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / f"{name}.safetensors"
