"""Training of a method on images and masks, and its model package.

Torch is imported when something is fitted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets.errors import RejectedInput
from datasets.files import canonical_json, locked
from training.fitting.choice import Fit, Trained, TrainingChoice
from training.fitting.running.processes import is_first, joined
from training.fitting.running.running import ALONE, Running
from training.model_package import ModelDescription, write_package
from training.networks.unet_plan import UNetPlan
from training.table.method import function_called

if TYPE_CHECKING:
    from training.fitting.examples import Example
    from training.fitting.running.running import FitProgress

FINAL = "final"
"""Folder of the package of one model of all cases, in the folder of a training."""

SET_ASIDE = 0.2
"""Share of the patients who are set aside for an early stop."""

_LOCK = "training.lock"

_SMALLER = ("batch", "budget", "canvas")
"""Options that make a step smaller."""


def train_method(
    choice: TrainingChoice,
    examples: "Sequence[Example]",
    *,
    checkpoints: Path | None = None,
    progress: "FitProgress | None" = None,
    running: Running = ALONE,
) -> Trained:
    """Trains one model of a method.

    Args:
        choice: Method and settings.
        examples: The training examples.
        checkpoints: Folder of checkpoints, from which a stopped training goes on; None for none.
        progress: Called after every iteration.
        running: Precision, prepared cases, board.

    Raises:
        RejectedInput: An image is missing, the loss diverged, a checkpoint is another training's, another training runs
            in the folder (``training-running``), or no patient can be set aside for an early stop
            (``patience-patients``).
    """
    from training.fitting.prepared_examples import inputs_of

    joined()  # before anything is put on a GPU
    fit: Fit = function_called(choice.method.fit)
    cases = tuple(sorted(example.case for example in examples))
    seen, aside = (examples, ()) if choice.patience is None else set_aside(examples, choice.seed)
    inputs = "" if checkpoints is None else inputs_of(examples, choice.channels)
    smaller = tuple(option.flag for option in choice.method.options if option.name in _SMALLER)
    with alone_in(checkpoints):
        fitted = fit(
            choice,
            seen,
            checkpoints=checkpoints,
            progress=progress,
            running=replace(running, inputs=inputs, aside=aside, smaller=smaller),
        )
    return replace(fitted, cases=cases)


def set_aside(examples: "Sequence[Example]", seed: int) -> "tuple[list[Example], list[Example]]":
    """A fifth of the patients is set aside, to see when a training gets no better.

    Args:
        examples: That may be learned from; nobody of a test fold is among them.
        seed: Decides.

    Returns:
        The examples that are learned from, and those of the set-aside patients.

    Raises:
        RejectedInput: There are not two patients (``patience-patients``).
    """
    patients = sorted({example.patient for example in examples})
    if len(patients) < 2:
        raise RejectedInput(
            "patience-patients",
            "An early stop sets patients aside, and there is only one.",
            remedy="Leave --patience out, or train on more patients.",
        )
    count = max(1, round(SET_ASIDE * len(patients)))
    chosen = set(np.random.default_rng(seed).permutation(patients)[:count])
    return (
        [example for example in examples if example.patient not in chosen],
        [example for example in examples if example.patient in chosen],
    )


@contextmanager
def alone_in(folder: Path | None) -> Iterator[None]:
    """Holds a folder of checkpoints, so that no two trainings write there; removes what killed ones left half-written.

    Raises:
        RejectedInput: Another training runs there (``training-running``).
    """
    if folder is None or not is_first():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / _LOCK  # a file: network drives lock no folders
    lock.touch()
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(lock))
        except BlockingIOError as error:
            raise RejectedInput(
                "training-running",
                "Another training runs in this folder.",
                remedy="Wait until it is done, end it, or choose another folder.",
            ) from error
        for left in folder.glob(".part-*"):
            left.unlink(missing_ok=True)
        yield


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
    decided = dict(parameters or {})
    described = dict(first.parameters) | {"members": len(members)} | _own_plans(members, decided) | decided
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


def _own_plans(members: Sequence[Trained], decided: Iterable[str]) -> dict[str, Any]:
    """What each member planned from its own cases, where that differs, by the names of the method's row.

    Args:
        members: The trainings.
        decided: Parameters that were decided after them.

    Raises:
        RejectedInput: They differ in what their method does not plan, or their networks' inputs or outputs do.
    """
    plans = [json.loads(canonical_json(dict(member.parameters))) for member in members]
    planned = members[0].choice.method.planned
    names = {name for plan in plans for name in plan} - {*decided}
    differing = {name for name in names if any(plan.get(name) != plans[0].get(name) for plan in plans)}
    if differing - planned.keys() or ("network" in differing and not _alike([plan.get("network") for plan in plans])):
        raise RejectedInput(
            "members-differ",
            "The networks of the ensemble's members have different inputs or outputs, or began with other weights.",
            remedy="Leave out the members that differ, or train them with the same settings and --encoder-weights.",
        )
    return {planned[name]: [plan.get(name) for plan in plans] for name in sorted(differing)}


def _alike(networks: Sequence[Any]) -> bool:
    """Whether networks differ in kernels and strides alone."""
    try:
        return len({(plan.channels, plan.widths) for plan in map(UNetPlan.from_parameters, networks)}) == 1
    except RejectedInput:
        return False
