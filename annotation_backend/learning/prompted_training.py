"""Training prompted methods: folds, their ensemble, or one final model, each a package in one folder.

    <folder>/folds.json  fold-1/ fold-2/ …  ensemble/  final/  checkpoints/

A training that was stopped goes on from its checkpoints; folds may be trained by several processes or machines that
share the folder, each its own.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.learning.lessons import Lessons
from datasets.errors import RejectedInput
from datasets.files import canonical_json
from training.model_package import read_description
from training.segmenters.postprocessing import Cleaning

if TYPE_CHECKING:
    from training.methods.crossvalidation import TrainedFolds
    from training.methods.train import Trained, TrainingChoice

ProgressOf = Callable[[str], Callable[..., None]]
"""A progress display for a piece of work, by what it is: called with done, to do and, where there is one, a loss."""

FINAL, ENSEMBLE = "final", "ensemble"


def planned_folds(lessons: Lessons, folder: Path, *, folds: int, seed: int) -> "TrainedFolds":
    """Writes down which cases each fold is tested on, or finds the same written down.

    Raises:
        RejectedInput: Too few patients for that many folds, or others lie in `folder`.
    """
    from training.methods.crossvalidation import begin_folds

    return begin_folds(folder, split(lessons, folds=folds, seed=seed))


def split(lessons: Lessons, *, folds: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """The cases each fold is tested on.

    Raises:
        RejectedInput: Too few patients for that many folds.
    """
    from training.methods.crossvalidation import split_examples

    patients = len(set(lessons.patients.values()))
    if folds < 2 or patients < folds:
        raise RejectedInput(
            "folds-patients",
            f"Expected at least 2 folds and a patient for each, got {folds} folds and {patients} patient(s).",
            remedy="Ask for fewer folds, add patients, or leave --folds out for one final model.",
        )
    return split_examples(sorted(lessons.patients.items()), folds=folds, seed=seed)


def train_folds(
    choice: "TrainingChoice",
    lessons: Lessons,
    trained: "TrainedFolds",
    numbers: Sequence[int],
    *,
    progress_of: ProgressOf,
) -> list[Path]:
    """Trains some of the folds; those that were trained alike already are kept.

    Args:
        choice: What to train.
        lessons: All cases.
        trained: From `planned_folds`.
        numbers: Which folds, counted from 0.
        progress_of: Shows how far each is.

    Returns:
        Their packages.

    Raises:
        RejectedInput: A case cannot be read, or a fold that lies there was trained otherwise.
    """
    from training.methods.crossvalidation import train_fold

    packages = []
    for number in numbers:
        package = trained.package(number)
        if not _is_trained(package, choice, lessons.inputs):
            examples = lessons.examples(without=trained.folds[number])
            progress = progress_of(f"fold {number + 1} of {len(trained.folds)}")
            train_fold(choice, examples, trained, number, inputs=dict(lessons.inputs), progress=progress)
        packages.append(package)
    return packages


def train_final(
    choice: "TrainingChoice",
    lessons: Lessons,
    folder: Path,
    *,
    name: str,
    version: str,
    cleaning: Cleaning = Cleaning.NONE,
    progress_of: ProgressOf,
) -> Path:
    """Trains one model on all cases; one that lies there and was trained alike is kept.

    Args:
        choice: What to train.
        lessons: All cases.
        folder: Where package and checkpoints go.
        name: Kebab-case name of the model.
        version: Its version.
        cleaning: What is done to masks at the end.
        progress_of: Shows how far it is.

    Raises:
        RejectedInput: A case cannot be read, or another model lies there.
    """
    package = folder / FINAL
    if not _is_trained(package, choice, lessons.inputs, title=f"{name}-{version}"):
        fitted = fit_all(choice, lessons, folder, progress_of=progress_of)
        package_final(fitted, package, name=name, version=version, inputs=lessons.inputs, cleaning=cleaning)
    return package


def fit_all(choice: "TrainingChoice", lessons: Lessons, folder: Path, *, progress_of: ProgressOf) -> "Trained":
    """Trains on all cases, with checkpoints below `folder`.

    Raises:
        RejectedInput: A case cannot be read, or a checkpoint is another training's.
    """
    from training.methods.train import train_method

    checkpoints = folder / "checkpoints" / FINAL
    return train_method(choice, lessons.examples(), checkpoints=checkpoints, progress=progress_of("iteration"))


def package_final(
    fitted: "Trained",
    package: Path,
    *,
    name: str,
    version: str,
    inputs: Mapping[str, str],
    cleaning: Cleaning = Cleaning.NONE,
) -> None:
    """Writes one training as a package."""
    from training.methods.train import package_trained

    decided = {"cleaning": cleaning.value}
    package_trained([fitted], package, name=name, version=version, inputs=inputs, parameters=decided)


def write_ensemble(
    lessons: Lessons,
    trained: "TrainedFolds",
    package: Path,
    *,
    name: str,
    version: str,
    seed: int,
    progress_of: ProgressOf,
) -> Cleaning:
    """Writes all folds as one model, with the cleaning that suits the cases each fold never saw.

    Returns:
        What is done to masks at the end.

    Raises:
        RejectedInput: A fold was not trained yet, or another model lies there.
    """
    from training.methods.fold_ensemble import best_cleaning_of_folds, package_folds

    missing = [number + 1 for number in range(len(trained.folds)) if not trained.package(number).exists()]
    if missing:
        raise RejectedInput(
            "folds-untrained",
            f"Expected all folds trained for an ensemble, got none of fold {', '.join(map(str, missing))}.",
            remedy="Train them first; without --fold all are trained.",
        )
    show = progress_of("choosing post-processing: case")
    cleaning = best_cleaning_of_folds(trained, lessons.examples(), seed=seed, progress=show)
    package_folds(trained, package, name=name, version=version, cleaning=cleaning)
    return cleaning


def _is_trained(
    package: Path, choice: "TrainingChoice", inputs: Mapping[str, str], *, title: str | None = None
) -> bool:
    """Whether a package lies there that was trained alike.

    Raises:
        RejectedInput: Another one lies there.
    """
    if not package.exists():
        return False
    found = read_description(package)
    wanted = json.loads(canonical_json(choice.described))
    kept = found.parameters.get("fit", {}).get("choice", {})
    # Choices that were not known when it was trained are left aside.
    same = all(wanted.get(key) == value for key, value in kept.items()) and dict(found.inputs) == dict(inputs)
    if not same or (title is not None and found.title != title):
        raise RejectedInput(
            "trained-otherwise",
            f"Expected no model in {package.name}, or one trained alike, got one with other settings or other cases.",
            remedy="Choose another folder with --out, or give the settings and cases it was begun with.",
        )
    return True
