"""Held-out cases of a run: drawn by the fold that never saw them, measured, and shown with both outlines.

Masks lie beside the folds until the run is done, so that a training that goes on does not draw a case twice, and the
choice of the post-processing reads them.
"""

import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.models import Run
from datasets.files import write_bytes
from datasets.image.mask import Inside, Mask
from training.measures.statistics import mean_sd, over_splits
from training.segmenters.postprocessing import Cleaning, cleaned_mask

if TYPE_CHECKING:
    from training.fitting.examples import Example
    from training.methods.crossvalidation import TrainedFolds
    from training.methods.held_out import HeldOutMasks, HeldOutScores

logger = logging.getLogger(__name__)

MEASURES = ("dice", "assd_mm", "hd95_mm", "surface_dice_1mm", "volume_ml", "reference_volume_ml")
"""What is kept of each case (`training.measures.metrics.Agreement`)."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The held-out cases of a run.

    Args:
        run: Its record, which takes the figures.
        trained: The folds.
        examples: Training examples of all cases.
        seed: Of the prompts.
    """

    run: Run
    trained: "TrainedFolds"
    examples: TrainingExamples
    seed: int

    def drawn(self, example: "Example") -> Inside:
        """The mask of a case by the first fold that never saw it."""
        return self._drawn(example, self.trained.fold_of(example.case))

    def try_fold(self, number: int) -> None:
        """Draws the cases of a fold, with pictures; their figures join those of the run.

        Of repeated random splits each draws all of its cases, also those that another has drawn.

        Args:
            number: The fold, from 0.

        Raises:
            RejectedInput: A case cannot be read or drawn.
        """
        for case in self.trained.folds[number]:
            if case in self.examples.cases:
                example = self.examples.load(case)
                self._take(example, self._drawn(example, number), fold=number)

    def clean(self) -> None:
        """Measures all cases again with post-processing: each fold's with the one that is best for the other folds.

        The model's own is chosen on all of them, so that on none would its figures be those of an unseen case.
        """
        from training.methods.held_out import nested_cleanings

        tried = [(str(row["case"]), int(row["fold"])) for row in self.run.figures]
        cleanings = nested_cleanings(list(self._scores(tried)), self.trained.folds)
        for case, fold in tried:
            if cleanings[fold] is not Cleaning.NONE:
                example = self.examples.load(case)
                self._take(example, cleaned_mask(self._drawn(example, fold), cleanings[fold]), fold=fold)

    def _scores(self, tried: Sequence[tuple[str, int]]) -> "Iterator[HeldOutScores]":
        """Dice of each case with each post-processing, by each fold that drew it."""
        from training.methods.held_out import HeldOutScores

        for case, fold in tried:
            example = self.examples.load(case)
            yield HeldOutScores.of(fold, example, self._drawn(example, fold))

    def _drawn(self, example: "Example", fold: int) -> Inside:
        """The mask of a case by a fold, drawn now or before."""
        path = self.trained.folder / "drawn" / f"fold-{fold + 1}" / f"{example.case}.npz"
        shape = example.mask.grid.shape
        if path.exists():
            with np.load(path, allow_pickle=False) as kept:
                return np.unpackbits(kept["bits"], count=int(np.prod(shape))).reshape(shape).astype(np.bool_)
        inside = self._masks(example, fold)
        stream = io.BytesIO()
        np.savez_compressed(stream, bits=np.packbits(inside))
        write_bytes(path, stream.getvalue())
        return inside

    @cached_property
    def _masks(self) -> "HeldOutMasks":
        from training.methods.held_out import HeldOutMasks

        return HeldOutMasks.of(self.trained, seed=self.seed)

    def _take(self, example: "Example", inside: Inside, *, fold: int) -> None:
        row = _measured(example, inside, fold)
        others = [one for one in self.run.figures if (one["case"], one["fold"]) != (example.case, fold)]
        self.run.figures = sorted([*others, row], key=lambda one: (str(one["case"]), int(one["fold"])))
        self.run.summary = summary_of(self.run.figures, are_splits=self.trained.are_random_splits)
        if fold == self.trained.fold_of(example.case):
            _draw(self.run, example, inside)


def summary_of(figures: Sequence[dict[str, Any]], *, are_splits: bool = False) -> dict[str, Any]:
    """Mean, SD and median of Dice over cases, and how many were missed.

    Of repeated random splits mean and SD are those over the splits, each of which draws all of its cases, as an
    evaluation says them; median and misses are of all that they drew.

    Args:
        figures: One row a case and fold.
        are_splits: Whether the folds are repeated random splits.
    """
    from training.measures.metrics import is_miss

    dice = [float(row["dice"]) for row in figures]
    if not dice:
        return {}
    by_fold: dict[int, list[float]] = {}
    for row in figures:
        by_fold.setdefault(int(row["fold"]), []).append(float(row["dice"]))
    found = mean_sd(dice)
    told: dict[str, Any] = {"cases": len({str(row["case"]) for row in figures})}
    if are_splits:
        splits = over_splits([by_fold[number] for number in sorted(by_fold)])
        found = splits.over_splits
        told |= {"splits": [_rounded(value) for value in splits.of_each], "drawn": len(dice)}
    told |= {"mean": _rounded(found.mean), "sd": _rounded(found.sd), "median": round(median(dice), 4)}
    return told | {"misses": sum(map(is_miss, dice))}


def case_means(figures: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures of each case: its row, or the mean of those of the random splits that tried it."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in figures:
        rows.setdefault(str(row["case"]), []).append(row)
    return {
        case: own[0] | {name: _rounded(mean_sd([row[name] for row in own]).mean) for name in MEASURES}
        for case, own in rows.items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def picture_file(run: Run, case: str) -> Path:
    """Where the picture of a case lies that a run drew."""
    return run.folder / f"{case}.png"


def few_pictures(figures: Sequence[dict[str, Any]], *, count: int = 6) -> list[dict[str, Any]]:
    """The cases whose pictures are shown: the worst, the best, and some evenly between them, by Dice.

    Each as the first fold drew it that tried it: of that one is the picture.
    """
    first = {str(row["case"]): row for row in sorted(figures, key=lambda row: -int(row["fold"]))}
    ordered = sorted(first.values(), key=lambda row: (float(row["dice"]), str(row["case"])))
    if len(ordered) <= count:
        return ordered
    return [ordered[round(at * (len(ordered) - 1) / (count - 1))] for at in range(count)]


def _measured(example: "Example", inside: Inside, fold: int) -> dict[str, Any]:
    from training.measures.metrics import agreement

    found = agreement(inside, example.mask.foreground, example.mask.grid, example.plane.slice_axis)
    values = {name: getattr(found, name) for name in MEASURES}
    rounded = {name: None if value is None else round(float(value), 4) for name, value in values.items()}
    return {"case": example.case, "patient": example.patient, "fold": fold, **rounded}


def _draw(run: Run, example: "Example", inside: Inside) -> None:
    """Writes the picture of a case; a full disk costs the picture and not the training."""
    from training.reports.pictures import case_picture

    kind, image = next(iter(example.volumes.items()))
    predicted = Mask(inside.astype(example.mask.data.dtype), example.mask.grid)
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        picture = case_picture(image, kind, example.mask, predicted, is_dashed=True)
        write_bytes(picture_file(run, example.case), picture.png)
    except OSError as error:
        logger.warning("the picture of %s could not be written (%s)", example.case, type(error).__name__)
