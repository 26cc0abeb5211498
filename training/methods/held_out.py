"""Held-out cases: each drawn by folds that never saw it, and cleaned as is best for the cases of the other folds.

The figures of a run, and those of a folder of folds that is evaluated, both come from here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

import numpy as np

from datasets.image.mask import Inside
from datasets.study.cohort import LoadedCase
from datasets.study.splits.split_case import Folds
from training.evaluation.sessions import SessionPlan, first_request, generator, scenes
from training.methods.crossvalidation import FoldSegmenters, TrainedFolds
from training.methods.needs import user_of
from training.prompts.simulated_user import ClickUser, SimulatedUser
from training.segmenters.postprocessing import Cleaning, best_of_scores, cleaning_scores
from training.segmenters.segmenter import Segmenter
from training.table.method import Method

if TYPE_CHECKING:
    from training.fitting.examples import Example

HeldOutCase = Union[LoadedCase, "Example"]
"""A case in memory, with its mask."""


@dataclass(frozen=True)
class HeldOutScores:
    """A held-out case as one fold drew it.

    Args:
        fold: Number of the fold, from 0.
        case: The case.
        scores: Dice with each post-processing, in the order of `Cleaning`.
    """

    fold: int
    case: str
    scores: tuple[float, ...]

    @classmethod
    def of(cls, fold: int, case: HeldOutCase, drawn: Inside) -> "HeldOutScores":
        """Those of a mask that a fold drew of a case."""
        return cls(fold, case.case, tuple(cleaning_scores(drawn, case.mask.foreground)))


def nested_cleanings(found: Sequence[HeldOutScores], folds: Folds) -> tuple[Cleaning, ...]:
    """The post-processing of each fold that has the best Dice on the other folds' cases.

    Chosen on a fold's own cases it would make their figures too good. Repeated random splits try a case in several of
    them: what another split drew of a fold's own cases does not count, either. Patients stay together, so that no other
    case of theirs is left. Where nothing is left to choose on, masks stay as they were drawn.

    Args:
        found: Of the cases that were drawn.
        folds: The cases that each fold is tested on.
    """
    cleanings = []
    for number, own in enumerate(folds):
        others = [each.scores for each in found if each.fold != number and each.case not in own]
        cleanings.append(best_of_scores(others) if others else Cleaning.NONE)
    return tuple(cleanings)


class HeldOutMasks:
    """Draws cases by folds that were not trained on them, after the usual prompts, at least one click.

    Args:
        segmenter_of: Gives the segmenter of a fold by its number, from 0.
        method: Of the folds.
        seed: Of the prompts.
    """

    def __init__(self, segmenter_of: Callable[[int], Segmenter], method: Method, *, seed: int = 0) -> None:
        self._segmenter_of = segmenter_of
        self._user: SimulatedUser = ClickUser(from_click=1) if method.is_corrected else user_of(method)
        self._seed = seed

    @classmethod
    def of(cls, trained: TrainedFolds, *, seed: int = 0) -> "HeldOutMasks":
        """By the folds of a folder; a fold that was not trained yet is refused."""
        return cls(FoldSegmenters(trained).of_fold, trained.method, seed=seed)

    def __call__(self, case: HeldOutCase, fold: int) -> Inside:
        """The mask of a case as it is drawn, in a boolean array of the shape of its grid.

        Raises:
            RejectedInput: The fold was not trained, or it cannot draw the case.
        """
        loaded = LoadedCase(case.case, case.volumes, case.mask)
        [scene] = scenes(loaded, SessionPlan())
        # As a session of an evaluation begins: the same prompts, so that both have the same figure.
        request = first_request(scene, self._user, generator(self._seed, 0, loaded))
        answer = self._segmenter_of(fold).segment(request)
        return np.asarray(answer.probability.data) > 0.5
