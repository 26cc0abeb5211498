"""What a worker does for the simulated user study: reads a case, loads its models, works it through. No Django."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from datasets.study.cohort import CohortCase, load
from training.annotators.annotator import Helpers
from training.annotators.strategy import Strategy
from training.annotators.study import Row, StudyRules, studied
from training.methods.crossvalidation import FoldSegmenters, TrainedFolds
from training.methods.loading import load_segmenter
from training.segmenters.segmenter import Segmenter


@dataclass(frozen=True)
class StudyModel:
    """A model as workers find it.

    Args:
        folder: The package, or the folder of the folds.
        digest: Expected of the package; empty for folds.
    """

    folder: Path
    digest: str


@dataclass(frozen=True)
class StudyTask:
    """A case and how it is worked through."""

    case: CohortCase
    strategies: tuple[Strategy, ...]
    models: tuple[tuple[str, StudyModel], ...]
    rules: StudyRules
    resample: bool = False


def one_case(task: StudyTask) -> Row:
    """What a worker does: reads a case and works it through."""
    case = load(task.case, resample=task.resample)
    models = {name: _segmenter(model, case.case) for name, model in task.models}
    return studied(case, task.strategies, Helpers(**models), task.rules)


def _segmenter(model: StudyModel, case: str) -> Segmenter:
    return _folds(model.folder)(case) if not model.digest else _package(model.folder, model.digest)


@cache
def _folds(folder: Path) -> FoldSegmenters:
    return FoldSegmenters(TrainedFolds.read(folder))


@cache
def _package(folder: Path, digest: str) -> Segmenter:
    return load_segmenter(folder, expected_digest=digest)
