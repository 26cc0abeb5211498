"""The worker's part of the annotator study: reads a case, loads its models, simulates the annotators. No Django."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from datasets.study.cohort import CohortCase, load
from training.annotators.annotator import Helpers
from training.annotators.strategy import Strategy
from training.annotators.study import CaseRow, StudyRules, study_case
from training.methods.crossvalidation import FoldSegmenters, TrainedFolds
from training.methods.loading import load_segmenter
from training.segmenters.segmenter import Segmenter


@dataclass(frozen=True)
class StudyModel:
    """A model as workers load it.

    Args:
        folder: The package, or the folder of the folds.
        digest: Digest that the package must have; empty for folds.
    """

    folder: Path
    digest: str


@dataclass(frozen=True)
class StudyTask:
    """A case of the study, with its strategies, models and rules."""

    case: CohortCase
    strategies: tuple[Strategy, ...]
    models: tuple[tuple[str, StudyModel], ...]
    rules: StudyRules
    resample: bool = False


def one_case(task: StudyTask) -> CaseRow:
    """Reads a case and simulates the annotators on it."""
    case = load(task.case, resample=task.resample)
    models = {name: _segmenter(model, case.case) for name, model in task.models}
    return study_case(case, task.strategies, Helpers(**models), task.rules)


def _segmenter(model: StudyModel, case: str) -> Segmenter:
    return _folds(model.folder)(case) if not model.digest else _package(model.folder, model.digest)


@cache
def _folds(folder: Path) -> FoldSegmenters:
    return FoldSegmenters(TrainedFolds.read(folder))


@cache
def _package(folder: Path, digest: str) -> Segmenter:
    return load_segmenter(folder, expected_digest=digest)
