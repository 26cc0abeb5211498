"""Cross-validation: every patient is drawn by a model that never saw them. One package a fold, kept, so it can go on.

Folds come from `datasets.study.splits`, by patient; `folds.json` says who is in which.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.errors import RejectedInput
from datasets.files import canonical_json, write_json
from datasets.study.splits import Folds, SplitCase, stratified_folds
from training.methods.loading import load_segmenter
from training.methods.train import TrainingChoice, package_trained, train_method
from training.model_package import read_description
from training.segmenters.segmenter import Segmenter

if TYPE_CHECKING:
    from training.fitting.examples import Example
    from training.fitting.loop import Progress

FOLDS_NAME = "folds.json"


@dataclass(frozen=True)
class TrainedFolds:
    """The folds of a cross-validation.

    Args:
        folder: Where they lie: `folds.json` and a package ``fold-1``, ``fold-2`` …
        folds: The cases each fold is tested on.
    """

    folder: Path
    folds: Folds

    @classmethod
    def read(cls, folder: Path) -> "TrainedFolds":
        """The folds that lie in `folder`.

        Raises:
            RejectedInput: No cross-validation lies there.
        """
        try:
            found = json.loads((folder / FOLDS_NAME).read_text(encoding="utf-8"))
            return cls(folder, tuple(tuple(str(case) for case in fold) for fold in found["folds"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RejectedInput(
                "folds-missing",
                f"Expected a folder with {FOLDS_NAME} and a model for each fold, got none that can be read.",
                remedy="Train the folds first.",
            ) from error

    def package(self, number: int) -> Path:
        """Where the model of a fold lies, counted from 0."""
        return self.folder / f"fold-{number + 1}"


class FoldSegmenters:
    """For a case's name, the model that never saw it; a fold is loaded when its first case is asked for.

    Args:
        trained: The folds; those that were not trained yet refuse their cases.
    """

    def __init__(self, trained: TrainedFolds) -> None:
        self._trained = trained
        self._loaded: dict[int, Segmenter] = {}

    def __call__(self, case: str) -> Segmenter:
        """The segmenter of a case.

        Raises:
            RejectedInput: The case is in no fold, its fold was not trained, or the package is damaged.
        """
        number = next((number for number, cases in enumerate(self._trained.folds) if case in cases), None)
        if number is None:
            raise RejectedInput(
                "case-in-no-fold",
                "Expected a case that one of the folds was tested on, got one that is in none.",
                remedy="Use the globs that the folds were trained with, or evaluate one final model on new cases.",
            )
        if number not in self._loaded:
            folder = self._trained.package(number)
            self._loaded[number] = load_segmenter(folder, expected_digest=read_description(folder).digest)
        return self._loaded[number]


def split_examples(cases: Sequence[tuple[str, str]], *, folds: int, seed: int) -> Folds:
    """Test sets over (case, patient) pairs.

    Raises:
        RejectedInput: A case is named twice, or numbers are out of range.
    """
    return stratified_folds([SplitCase(case, patient, "unknown") for case, patient in cases], folds=folds, seed=seed)


def train_fold(
    choice: TrainingChoice,
    examples: "Sequence[Example]",
    trained: TrainedFolds,
    number: int,
    *,
    inputs: dict[str, str],
    progress: "Progress | None" = None,
) -> Path:
    """Trains one fold on all patients but its own; a fold that was trained already is kept.

    Args:
        choice: What to train.
        examples: All cases, the fold's own among them.
        trained: Where the folds lie.
        number: Which fold, counted from 0.
        inputs: SHA-256 of what all folds learn from.
        progress: Told about every iteration.

    Returns:
        The fold's package.

    Raises:
        RejectedInput: As `train_method`; no case is left to learn from, or the fold was trained otherwise.
    """
    folder = trained.package(number)
    if folder.exists():
        _require_choice(folder, choice)
        return folder
    own = set(trained.folds[number])
    patients = {example.patient for example in examples if example.case in own}
    seen = [example for example in examples if example.case not in own and example.patient not in patients]
    fitted = train_method(choice, seen, checkpoints=trained.folder / "checkpoints" / folder.name, progress=progress)
    package_trained([fitted], folder, name=f"{choice.method.value}-fold", version=str(number + 1), inputs=inputs)
    return folder


def _require_choice(folder: Path, choice: TrainingChoice) -> None:
    """Refuses a package that another choice made; choices that were not known to it are left aside."""
    fit = read_description(folder).parameters.get("fit", {})
    wanted = json.loads(canonical_json(choice.described))
    if any(wanted.get(name) != value for name, value in fit.get("choice", {}).items()):
        raise RejectedInput(
            "fold-differs",
            "Expected a fold trained with these settings, got one trained with others in this folder.",
            remedy="Choose another folder, or give the settings it was begun with.",
        )


def begin_folds(folder: Path, folds: Folds) -> TrainedFolds:
    """Writes down who is in which fold, or finds the same written down already.

    Raises:
        RejectedInput: Other folds lie in `folder`.
    """
    if (folder / FOLDS_NAME).exists():
        found = TrainedFolds.read(folder)
        if found.folds != folds:
            raise RejectedInput(
                "folds-differ",
                "Expected the folds of this cohort and seed, got others in this folder.",
                remedy="Choose another folder, or give the cohort and seed it was begun with.",
            )
        return found
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FOLDS_NAME, {"folds": [list(fold) for fold in folds]})
    return TrainedFolds(folder, folds)
