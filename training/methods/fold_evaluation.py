"""Evaluation of folds: each case by the fold that never saw it, cleaned as is best for the other folds; of repeated
random splits each split on all of its cases."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Protocol

from datasets.errors import RejectedInput
from datasets.progress import Progress
from datasets.study.cohort import CohortCase, load
from datasets.study.splits.split_case import Folds
from training.evaluation.evaluation import KeepMask, SegmenterOf
from training.evaluation.results import Evaluation
from training.methods.cleaned import CleanedSegmenter, RememberingSegmenter
from training.methods.crossvalidation import TrainedFolds
from training.methods.held_out import HeldOutMasks, HeldOutScores, nested_cleanings
from training.segmenters.postprocessing import Cleaning
from training.segmenters.segmenter import Segmenter
from training.table.method import Method, PromptType


class Tried(Protocol):
    """Tries a segmenter on cases: `evaluate` with its user and plan."""

    def __call__(
        self,
        segmenter: SegmenterOf,
        cases: Sequence[CohortCase],
        *,
        keep: KeepMask | None = None,
        progress: Progress | None = None,
    ) -> Evaluation:
        """The evaluation."""
        ...


@dataclass(frozen=True, eq=False)
class TriedFolds:
    """Folds that are tried.

    Args:
        trained: Their cases.
        method: Their method.
        of_fold: Gives the segmenter of a fold by its number, from 0; a mean's is the mean of its members' folds.
    """

    trained: TrainedFolds
    method: Method
    of_fold: Callable[[int], Segmenter]


def evaluate_folds(
    folds: TriedFolds,
    cases: Sequence[CohortCase],
    tried: Tried,
    *,
    is_cleaned: bool = True,
    resample: bool = False,
    keep: KeepMask | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Tries folds on their cases; a case that cannot be drawn, or is in no fold, is refused by name.

    Args:
        folds: The folds.
        cases: Cases, of which a fold draws those that it was not trained on.
        tried: Tries a segmenter.
        is_cleaned: Whether each fold's masks are cleaned as is best for the other folds' cases.
        resample: Bring images on other grids onto the masks'.
        keep: Takes each case's mask, as the first of its folds drew it.
        progress: Called with (done, to do), of drawings and sessions together.
    """
    cleanings = (Cleaning.NONE,) * len(folds.trained.folds)
    again = [[case for case in cases if case.case in names] for names in folds.trained.tried_again]
    sessions = len(cases) + sum(map(len, again))
    parts = _Parts(progress, sessions + (sessions if is_cleaned else 0))
    of_fold = cache(partial(_once, folds))
    if is_cleaned:
        masks = HeldOutMasks(of_fold, folds.method)
        cleanings = nested_cleanings(
            list(_scores(folds.trained.folds, cases, masks, resample=resample, progress=parts.next(sessions))),
            folds.trained.folds,
        )

    def segmenter(number: int) -> Segmenter:
        return CleanedSegmenter(of_fold(number), cleanings[number])

    def of_case(case: str) -> Segmenter:
        return segmenter(folds.trained.fold_of(case))

    found = tried(of_case, cases, keep=keep, progress=parts.next(len(cases)))
    told = tuple(each.value for each in cleanings) if is_cleaned else ()
    found = replace(found, cleanings=told)
    if not folds.trained.are_random_splits:
        return found
    splits, refused = [], list(found.refused)
    for number, own in enumerate(again):
        drawn = [case for case in found.cases if folds.trained.fold_of(case.case) == number]
        if own:
            more = tried(partial(_of_any, segmenter(number)), own, progress=parts.next(len(own)))
            drawn += more.cases
            refused += more.refused
        splits.append(tuple(drawn))
    return replace(found, splits=tuple(filter(None, splits)), refused=tuple(dict.fromkeys(refused)))


def _of_any(segmenter: Segmenter, _case: str) -> Segmenter:
    return segmenter


def _once(folds: TriedFolds, number: int) -> Segmenter:
    """A fold's segmenter; one that draws by itself draws each case once, however often it is asked."""
    found = folds.of_fold(number)
    return RememberingSegmenter(found) if folds.method.usual_prompt is PromptType.AUTOMATIC else found


def _scores(
    folds: Folds, cases: Sequence[CohortCase], masks: HeldOutMasks, *, resample: bool, progress: Progress
) -> Iterator[HeldOutScores]:
    """Of each case as each fold draws it that is tested on it; what cannot be drawn is refused when it is tried."""
    for done, case in enumerate(cases, start=1):
        try:
            numbers = [number for number, names in enumerate(folds) if case.case in names]
            loaded = load(case, resample=resample)
            for number in numbers:
                yield HeldOutScores.of(number, loaded, masks(loaded, number))
        except RejectedInput:
            pass
        progress(done, len(cases))


class _Parts:
    """The progress of parts that follow each other, as that of the whole."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._before = progress, total, 0

    def next(self, size: int) -> Progress:
        """The progress of the next part, which is so many of the total."""
        before = self._before
        self._before += size

        def told(done: int, total: int) -> None:
            if self._progress is not None:
                self._progress(before + size * done // max(total, 1), self._total)

        return told
