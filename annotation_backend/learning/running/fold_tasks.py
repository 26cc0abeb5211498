"""Folds on other machines: each fold is a task of Dask that reads a folder and writes a package; no database.

A worker that dies loses what it had since its last checkpoint, and the next goes on from there:
all see the same folder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotation_backend.commandline.cohort_arguments import Named
from annotation_backend.compute import each_done
from annotation_backend.learning.examples.of_folder import examples_of_folder
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.fold_training import train_folds
from datasets.errors import RejectedInput, TryAgain
from datasets.progress import Progress
from datasets.study.splits.external import ExternalCohort
from training.fitting.choice import TrainingChoice
from training.fitting.running.running import Running
from training.methods.crossvalidation import TrainedFolds


@dataclass(frozen=True)
class FolderOfCases:
    """The training examples of a folder, as a worker reads them again; see `examples_of_folder`.

    Args:
        folder: The cohort's folder.
        images: Glob of each channel.
        mask_glob: Glob of the masks.
        resample: Bring images on other grids onto the mask's.
        without: Names of cases to leave out.
        mask_value: Value of the masks that is the tumour; empty if not given.
        table: What is known of the cases; None for nothing.
        external: The cohort that must not be learned from; None for none.
    """

    folder: Path
    images: tuple[Named, ...]
    mask_glob: str
    resample: bool = False
    without: tuple[str, ...] = ()
    mask_value: str = ""
    table: Path | None = None
    external: ExternalCohort | None = None


@dataclass(frozen=True)
class FoldTask:
    """One fold, as it travels to a worker.

    Args:
        number: Of the fold, from 0.
        choice: Method and settings.
        cases: All training examples.
        trained: The folder of the folds.
        running: How it runs.
    """

    number: int
    choice: TrainingChoice
    cases: FolderOfCases
    trained: TrainedFolds
    running: Running


def train_folds_on(
    scheduler: str,
    choice: TrainingChoice,
    cases: FolderOfCases,
    trained: TrainedFolds,
    numbers: Sequence[int],
    *,
    running: Running,
    progress: Progress | None = None,
) -> list[Path]:
    """Trains folds on a Dask cluster; those that are trained already are kept.

    Args:
        scheduler: Its address.
        choice: Method and settings.
        cases: All training examples, in a folder that the workers see, too.
        trained: The folds and their folder.
        numbers: The folds to train, from 0.
        running: How they run.
        progress: Called with (done, all) after each fold.

    Returns:
        The folds' packages.

    Raises:
        RejectedInput: A fold was refused, with that fold's reason; the others are trained.
        TryAgain: Workers were lost (``folds-lost``), or as `each_done`.
    """
    trained = replace(trained, folder=trained.folder.absolute())  # workers may have another working folder
    tasks = [FoldTask(number, choice, cases, trained, running) for number in numbers]
    failed = []
    for outcome in each_done(train_one, tasks, key=_key, scheduler=scheduler, progress=progress):
        if outcome.finding is not None:
            failed.append((outcome.item.number + 1, outcome.finding))
    for fold, finding in failed:
        kind: Callable[..., RejectedInput | TryAgain] = TryAgain if finding.code in _LOST else RejectedInput
        remedy = f"{finding.remedy} The other folds are kept; run the command again, it goes on where it was."
        raise kind(finding.code, f"Fold {fold}: {finding.message}", remedy=remedy)
    return [trained.package(number) for number in numbers]


def read_folder(cases: FolderOfCases) -> tuple[TrainingExamples, tuple[str, ...]]:
    """The training examples of a folder, and the kinds of their images.

    Raises:
        RejectedInput: As `examples_of_folder` and `TrainingExamples.without_external`.
    """
    examples, channels = examples_of_folder(
        cases.folder,
        cases.images,
        cases.mask_glob,
        resample=cases.resample,
        without=cases.without,
        mask_value=cases.mask_value,
        table=cases.table,
    )
    return examples.without_external(cases.external), channels


def train_one(task: FoldTask) -> int:
    """Trains one fold, on the machine that it was sent to; returns its number."""
    examples, _ = read_folder(task.cases)
    train_folds(
        task.choice, examples, task.trained, [task.number], progress_of=lambda _what: _silent, running=task.running
    )
    return task.number


_LOST = ("worker-lost",)


def _key(task: FoldTask) -> str:
    return f"fold-{task.number + 1}"


def _silent(*_told: object) -> None:
    """Progress that nobody sees."""
