"""Training in a folder: folds, their ensemble, or one final model, each a package.

    <folder>/folds.json  fold-1/ fold-2/ …  ensemble/  final/  checkpoints/

A training that was stopped goes on from its checkpoints; several processes or machines that share the folder may each
train other folds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.learning.examples.training_examples import TrainingExamples
from datasets.errors import RejectedInput
from datasets.progress import ProgressOf
from datasets.study.splits.left_out import learned_from
from training.fitting.running.processes import is_first
from training.fitting.running.running import ALONE, Running
from training.methods.train import FINAL
from training.model_package import read_description
from training.segmenters.postprocessing import Cleaning

if TYPE_CHECKING:
    from training.fitting.choice import Trained, TrainingChoice
    from training.methods.crossvalidation import TrainedFolds
    from training.methods.fold_ensemble import Drawn

ENSEMBLE = "ensemble"


def train_folds(
    choice: "TrainingChoice",
    examples: TrainingExamples,
    trained: "TrainedFolds",
    numbers: Sequence[int],
    *,
    progress_of: ProgressOf,
    running: Running = ALONE,
) -> list[Path]:
    """Trains some of the folds; those that were trained with the same settings are kept.

    Args:
        choice: Method and settings.
        examples: Training examples of all cases.
        trained: From `annotation_backend.learning.splitting.folds.planned_folds`.
        numbers: The folds to train, counted from 0.
        progress_of: Makes the progress display of each fold.
        running: How they run.

    Returns:
        Their packages.

    Raises:
        RejectedInput: A case cannot be read, or a fold there was trained with other settings.
    """
    from training.methods.crossvalidation import train_fold

    packages = []
    for number in numbers:
        package = trained.package(number)
        if not _is_trained(package, choice, examples.inputs):
            seen = {case.case for case in learned_from(list(examples.cases.values()), trained.folds[number])}
            others = examples.read(without=[case for case in examples.cases if case not in seen])
            progress = progress_of(f"fold {number + 1} of {len(trained.folds)}")
            inputs, own = dict(examples.inputs), running.of_network(package.name)
            train_fold(choice, others, trained, number, inputs=inputs, progress=progress, running=own)
        packages.append(package)
    return packages


def train_final(
    choice: "TrainingChoice",
    examples: TrainingExamples,
    folder: Path,
    *,
    name: str,
    version: str,
    cleaning: Cleaning = Cleaning.NONE,
    progress_of: ProgressOf,
    running: Running = ALONE,
) -> Path:
    """Trains one model on all cases; one that was trained with the same settings is kept.

    Args:
        choice: Method and settings.
        examples: Training examples of all cases.
        folder: Folder of the package and the checkpoints.
        name: Kebab-case name of the model.
        version: Its version.
        cleaning: Post-processing of masks.
        progress_of: Makes the progress display.
        running: How it runs.

    Raises:
        RejectedInput: A case cannot be read, or `folder` holds another model.
    """
    package = folder / FINAL
    if not _is_trained(package, choice, examples.inputs, title=f"{name}-{version}"):
        fitted = fit_all(choice, examples, folder, progress_of=progress_of, running=running)
        package_final(fitted, package, name=name, version=version, inputs=examples.inputs, cleaning=cleaning)
    return package


def fit_all(
    choice: "TrainingChoice",
    examples: TrainingExamples,
    folder: Path,
    *,
    progress_of: ProgressOf,
    running: Running = ALONE,
) -> "Trained":
    """Trains on all cases, with checkpoints below `folder`.

    Raises:
        RejectedInput: A case cannot be read, or a checkpoint is another training's.
    """
    from training.methods.train import train_method

    checkpoints = folder / "checkpoints" / FINAL
    progress = progress_of("iteration")
    return train_method(choice, examples.read(), checkpoints=checkpoints, progress=progress, running=running)


def package_final(
    fitted: "Trained",
    package: Path,
    *,
    name: str,
    version: str,
    inputs: Mapping[str, str],
    cleaning: Cleaning = Cleaning.NONE,
) -> None:
    """Writes one training as a package; of several processes the first one does."""
    from training.methods.train import package_trained

    if not is_first():
        return
    decided = {"cleaning": cleaning.value}
    package_trained([fitted], package, name=name, version=version, inputs=inputs, parameters=decided)


def write_ensemble(
    examples: TrainingExamples,
    trained: "TrainedFolds",
    package: Path,
    *,
    name: str,
    version: str,
    seed: int,
    progress_of: ProgressOf,
    drawn: "Drawn | None" = None,
) -> Cleaning:
    """Writes all folds as one ensemble, with the post-processing chosen on the cases that each fold was not trained on.

    Args:
        examples: Training examples of all cases.
        trained: The folds.
        package: Folder of the ensemble's package.
        name: Kebab-case name of the model.
        version: Its version.
        seed: Of the prompts of cases that are drawn.
        progress_of: Makes the progress display.
        drawn: Gives the masks of cases that were drawn already; None to draw them.

    Returns:
        The post-processing.

    Raises:
        RejectedInput: A fold was not trained yet, or another model lies at `package`.
    """
    from training.methods.fold_ensemble import best_cleaning_of_folds, package_folds

    missing = [number + 1 for number in range(len(trained.folds)) if not trained.package(number).exists()]
    if missing:
        raise RejectedInput(
            "folds-untrained",
            f"An ensemble needs all folds, and fold {', '.join(map(str, missing))} is not trained yet.",
            remedy="Train the missing folds first; without --fold all are trained.",
        )
    show = progress_of("choosing post-processing: case")
    cleaning = best_cleaning_of_folds(trained, examples.read(), seed=seed, drawn=drawn, progress=show)
    package_folds(trained, package, name=name, version=version, cleaning=cleaning)
    return cleaning


def _is_trained(
    package: Path, choice: "TrainingChoice", inputs: Mapping[str, str], *, title: str | None = None
) -> bool:
    """Whether `package` exists and was trained with the same settings and cases.

    Raises:
        RejectedInput: It exists and was trained otherwise.
    """
    if not package.exists():
        return False
    found = read_description(package)
    same = choice.is_that_of(found) and dict(found.inputs) == dict(inputs)
    if not same or (title is not None and found.title != title):
        raise RejectedInput(
            "trained-otherwise",
            f"{package.name} already holds a model that was trained with other settings or other cases.",
            remedy="Choose another folder with --out, or give the settings and cases it was begun with.",
        )
    return True
