"""Cross-validation: every patient is drawn by a model that was not trained on them.

One package a fold is kept, so that a stopped training goes on. Folds come from `datasets.study.splits`; `folds.json`
lists the cases that each is tried on, and the rule by which they were split.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.errors import RejectedInput
from datasets.files import write_json
from datasets.study.splits.rule import SplitName, SplitRule
from datasets.study.splits.split_case import Folds
from training.fitting.choice import TrainingChoice
from training.fitting.running.processes import is_first
from training.fitting.running.running import ALONE, Running
from training.methods.loading import load_segmenter
from training.methods.train import package_trained, train_method
from training.model_package import read_description
from training.segmenters.segmenter import Segmenter
from training.table.method import Method

if TYPE_CHECKING:
    from training.fitting.examples import Example
    from training.fitting.running.running import FitProgress

FOLDS_NAME = "folds.json"


@dataclass(frozen=True)
class TrainedFolds:
    """The folds of a cross-validation.

    Args:
        folder: Folder with `folds.json` and a package ``fold-1``, ``fold-2`` … for each.
        folds: The cases each fold is tested on.
        rule: By which they were split; None in folders of earlier versions, whose rule was ``grouped``.
    """

    folder: Path
    folds: Folds
    rule: SplitRule | None = None

    @classmethod
    def read(cls, folder: Path) -> "TrainedFolds":
        """Reads the folds in `folder`.

        Raises:
            RejectedInput: `folder` holds no cross-validation.
        """
        try:
            found = json.loads((folder / FOLDS_NAME).read_text(encoding="utf-8"))
            rule = SplitRule.from_described(found["split"]) if "split" in found else None
            return cls(folder, tuple(tuple(str(case) for case in fold) for fold in found["folds"]), rule)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, RejectedInput) as error:
            raise RejectedInput(
                "folds-missing",
                f"The folder has no {FOLDS_NAME} that can be read.",
                remedy="Train the folds first.",
            ) from error

    def package(self, number: int) -> Path:
        """The folder of a fold's package, counted from 0."""
        return self.folder / f"fold-{number + 1}"

    def fold_of(self, case: str) -> int:
        """The first fold, from 0, that was not trained on a case.

        Raises:
            RejectedInput: The case is in no fold (``case-in-no-fold``).
        """
        number = next((number for number, cases in enumerate(self.folds) if case in cases), None)
        if number is None:
            raise RejectedInput(
                "case-in-no-fold",
                "The case belongs to none of the folds.",
                remedy="Use the globs that the folds were trained with, or evaluate one final model on new cases.",
            )
        return number

    @property
    def method(self) -> Method:
        """The folds' method, as the first trained one's package says it: all are of one.

        Raises:
            RejectedInput: None is trained yet (``folds-untrained``), or the package is damaged.
        """
        trained = (self.package(number) for number in range(len(self.folds)))
        found = next((package for package in trained if package.exists()), None)
        if found is None:
            raise RejectedInput(
                "folds-untrained", "None of the folds is trained yet.", remedy="Train at least one of them."
            )
        return read_description(found).method

    @property
    def are_random_splits(self) -> bool:
        """Whether a case may be tried by several of them: the figure is then the mean over the splits."""
        is_rule = self.rule is not None and self.rule.name is SplitName.RANDOM
        return is_rule or any(self.tried_again)

    @property
    def tried_again(self) -> Folds:
        """The cases of each fold that one before it tries, too: of repeated random splits; else of none."""
        before = [{case for fold in self.folds[:number] for case in fold} for number in range(len(self.folds))]
        pairs = zip(self.folds, before, strict=True)
        return tuple(tuple(case for case in fold if case in others) for fold, others in pairs)


class FoldSegmenters:
    """A function from a case's name to the first fold that was not trained on it; folds are loaded when needed.

    Args:
        trained: The folds; cases of a fold that was not trained yet are refused.
    """

    def __init__(self, trained: TrainedFolds) -> None:
        self._trained = trained
        self._loaded: dict[int, Segmenter] = {}

    def __call__(self, case: str) -> Segmenter:
        """The segmenter of a case.

        Raises:
            RejectedInput: The case is in no fold, its fold was not trained yet, or the package is damaged.
        """
        return self.of_fold(self._trained.fold_of(case))

    def of_fold(self, number: int) -> Segmenter:
        """The segmenter of a fold, counted from 0.

        Raises:
            RejectedInput: The fold was not trained yet, or the package is damaged.
        """
        if number not in self._loaded:
            folder = self._trained.package(number)
            self._loaded[number] = load_segmenter(folder, expected_digest=read_description(folder).digest)
        return self._loaded[number]


def train_fold(
    choice: TrainingChoice,
    examples: "Sequence[Example]",
    trained: TrainedFolds,
    number: int,
    *,
    inputs: dict[str, str],
    progress: "FitProgress | None" = None,
    running: Running = ALONE,
) -> Path:
    """Trains one fold on all patients but its own; a fold that was trained already is kept.

    Args:
        choice: Method and settings.
        examples: All cases, the fold's own among them.
        trained: The folds and their folder.
        number: Which fold, counted from 0.
        inputs: SHA-256 of the images and masks of all folds.
        progress: Called after every iteration.
        running: How it runs.

    Returns:
        The fold's package; of several processes the first one writes it.

    Raises:
        RejectedInput: As `train_method`; no case is left to learn from, or the fold was trained with other settings.
    """
    folder = trained.package(number)
    if folder.exists():
        _require_choice(folder, choice)
        return folder
    own = set(trained.folds[number])
    patients = {example.patient for example in examples if example.case in own}
    seen = [example for example in examples if example.case not in own and example.patient not in patients]
    checkpoints = trained.folder / "checkpoints" / folder.name
    fitted = train_method(choice, seen, checkpoints=checkpoints, progress=progress, running=running)
    if is_first():
        package_trained([fitted], folder, name=f"{choice.method}-fold", version=str(number + 1), inputs=inputs)
    return folder


def _require_choice(folder: Path, choice: TrainingChoice) -> None:
    """Refuses a package that was trained with other settings."""
    if not choice.is_that_of(read_description(folder)):
        raise RejectedInput(
            "fold-differs",
            "The folder holds a fold that was trained with other settings.",
            remedy="Choose another folder, or give the settings it was begun with.",
        )


def begin_folds(folder: Path, folds: Folds, rule: SplitRule | None = None) -> TrainedFolds:
    """Writes the cases of each fold, or checks that they are written in `folder`.

    Folds of the same rule and the same cases are kept as they are written there: what was corrected of a case since,
    such as its site, does not move it while a training is on its way.

    Args:
        folder: Of the cross-validation.
        folds: The cases each fold is tested on.
        rule: By which they were split; None if by none.

    Raises:
        RejectedInput: `folder` holds other folds (``folds-differ``).
    """
    if (folder / FOLDS_NAME).exists():
        found = TrainedFolds.read(folder)
        if found.folds != folds and not (found.rule and found.rule == rule and _cases(found.folds) == _cases(folds)):
            raise RejectedInput(
                "folds-differ",
                "The folder holds the folds of another cohort, split or seed.",
                remedy="Choose another folder, or give the cohort, --split and --seed it was begun with.",
            )
        return found
    folder.mkdir(parents=True, exist_ok=True)
    described = {} if rule is None else {"split": rule.described}
    write_json(folder / FOLDS_NAME, {"folds": [list(fold) for fold in folds]} | described)
    return TrainedFolds(folder, folds, rule)


def _cases(folds: Folds) -> list[str]:
    return sorted(case for fold in folds for case in fold)
