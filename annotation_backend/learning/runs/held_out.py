"""Held-out cases of a run: drawn by the fold that never saw them, measured, and shown with both outlines.

Masks lie beside the folds until the run is done, so that a training that goes on does not draw a case twice, and the
choice of the post-processing reads them.
"""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.models import Run
from datasets.files import write_bytes
from datasets.image.mask import Inside, Mask
from training.segmenters.postprocessing import Cleaning, best_of_scores, cleaned_mask, cleaning_scores

if TYPE_CHECKING:
    from training.fitting.examples import Example
    from training.methods.crossvalidation import TrainedFolds
    from training.methods.fold_ensemble import HeldOutMasks

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

    def drawn(self, example: "Example", number: int) -> Inside:
        """The mask of a case, drawn now or before.

        Args:
            example: The case.
            number: Its place among all cases that are tried, from 0.
        """
        path = self.trained.folder / "drawn" / f"{example.case}.npz"
        shape = example.mask.grid.shape
        if path.exists():
            with np.load(path, allow_pickle=False) as kept:
                return np.unpackbits(kept["bits"], count=int(np.prod(shape))).reshape(shape).astype(np.bool_)
        inside = self._masks(example, number)
        stream = io.BytesIO()
        np.savez_compressed(stream, bits=np.packbits(inside))
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, stream.getvalue())
        return inside

    def try_fold(self, number: int) -> None:
        """Draws the cases of a fold, with pictures; their figures join those of the run.

        Args:
            number: The fold, from 0.

        Raises:
            RejectedInput: A case cannot be read or drawn.
        """
        first = {case: fold for fold, cases in reversed([*enumerate(self.trained.folds)]) for case in cases}
        for case in self.trained.folds[number]:
            if first[case] == number and case in self.examples.cases:
                example = self.examples.load(case)
                self._take(example, self._drawn_of(example), fold=number)

    def clean(self) -> None:
        """Measures all cases again with post-processing: each fold's with the one that is best for the other folds.

        The model's own is chosen on all of them, so that on none would its figures be those of an unseen case.
        """
        folds = {str(row["case"]): int(row["fold"]) for row in self.run.figures}
        scores = {case: self._scores(case) for case in folds}
        best = {
            fold: best_of_scores([scores[case] for case, its in folds.items() if its != fold])
            for fold in set(folds.values())
            if len(set(folds.values())) > 1
        }
        for case, fold in folds.items():
            if (cleaning := best.get(fold, Cleaning.NONE)) is not Cleaning.NONE:
                example = self.examples.load(case)
                self._take(example, cleaned_mask(self._drawn_of(example), cleaning), fold=fold)

    def _scores(self, case: str) -> list[float]:
        """Dice of a case with each post-processing."""
        example = self.examples.load(case)
        return cleaning_scores(self._drawn_of(example), example.mask.foreground)

    def _drawn_of(self, example: "Example") -> Inside:
        return self.drawn(example, self._tried.index(example.case))

    @cached_property
    def _masks(self) -> "HeldOutMasks":
        from training.methods.fold_ensemble import HeldOutMasks

        return HeldOutMasks(self.trained, seed=self.seed)

    @property
    def _tried(self) -> list[str]:
        return sorted({case for fold in self.trained.folds for case in fold})

    def _take(self, example: "Example", inside: Inside, *, fold: int) -> None:
        others = [row for row in self.run.figures if row["case"] != example.case]
        self.run.figures = sorted([*others, _measured(example, inside, fold)], key=lambda row: str(row["case"]))
        self.run.summary = summary_of(self.run.figures)
        _draw(self.run, example, inside)


def summary_of(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean, SD and median of Dice over cases, and how many were missed."""
    from training.measures.metrics import is_miss

    dice = [float(row["dice"]) for row in figures]
    if not dice:
        return {}
    return {
        "cases": len(dice),
        "mean": round(mean(dice), 4),
        "sd": round(stdev(dice), 4) if len(dice) > 1 else None,
        "median": round(median(dice), 4),
        "misses": sum(map(is_miss, dice)),
    }


def picture_file(run: Run, case: str) -> Path:
    """Where the picture of a case lies that a run drew."""
    return run.folder / f"{case}.png"


def few_pictures(figures: Sequence[dict[str, Any]], *, count: int = 6) -> list[dict[str, Any]]:
    """The cases whose pictures are shown: the worst, the best, and some evenly between them, by Dice."""
    ordered = sorted(figures, key=lambda row: (float(row["dice"]), str(row["case"])))
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
