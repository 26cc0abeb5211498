"""A case worked on from a draft: what the simulated annotator did and left, with each strategy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets.image.mask import Inside
from datasets.study.cohort import LoadedCase
from training.annotators.annotator import Helpers, annotate
from training.annotators.strategy import Strategy
from training.annotators.study import StudyRules
from training.measures.drafts import unchanged
from training.measures.metrics import dice
from training.segmenters.segmenter import SegmentationRequest, Segmenter

if TYPE_CHECKING:
    from training.fitting.examples import Example


@dataclass(frozen=True)
class CaseWork:
    """An annotator's work on a case.

    Args:
        case: Its name.
        patient: Whose it is.
        is_held_out: Whether nobody learns from it.
        models: Models that had been trained when its draft was made; 0: the draft was empty.
        strategy: Name of how the annotator works.
        draft_dice: Dice of the draft against the reference.
        actions: Counted actions (`training.annotators.actions`).
        seconds: Their predicted time.
        unchanged: Share of the voxels of draft or result that both have.
        dice: Dice of what the annotator left.
    """

    case: str
    patient: str
    is_held_out: bool
    models: int
    strategy: str
    draft_dice: float
    actions: int
    seconds: float
    unchanged: float
    dice: float

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def draft_of(segmenter: Segmenter | None, example: "Example") -> Inside:
    """What a model draws without a prompt, bool on the case's grid; empty without a model.

    Raises:
        RejectedInput: The case lacks an image that the model needs.
    """
    if segmenter is None:
        return np.zeros(example.mask.grid.shape, np.bool_)
    target, axis = next(iter(example.volumes)), example.plane.slice_axis
    found = segmenter.segment(SegmentationRequest(example.volumes, target, slice_axis=axis)).probability
    example.mask.grid.require_match(found.grid, what="A draft")
    return np.asarray(found.data) > 0.5


def worked(
    example: "Example",
    draft: Inside,
    strategies: Sequence[Strategy],
    rules: StudyRules,
    *,
    models: int,
    is_held_out: bool,
) -> tuple[list[CaseWork], Inside]:
    """Lets the annotator work on a case with each strategy.

    Args:
        example: Images and the reference, which the annotator knows.
        draft: With which the slices open; empty for none.
        strategies: How the annotator works; what the first one leaves is the result.
        rules: Brush, when it is good enough, seed: the same for every draft of a case.
        models: Models that had been trained.
        is_held_out: Whether nobody learns from it.

    Returns:
        One row for each strategy, and the mask that is left, bool on the case's grid.

    Raises:
        RejectedInput: A strategy needs a model to prompt.
    """
    case, truth = LoadedCase(example.case, example.volumes, example.mask), example.mask.foreground
    rows, left = [], []
    for strategy in strategies:
        done = annotate(
            case,
            strategy,
            Helpers(),
            random=np.random.default_rng([rules.seed, case.number]),
            brush=rules.brush,
            good=rules.good,
            draft=draft if draft.any() else None,
        )
        rows.append(
            CaseWork(
                case=example.case,
                patient=example.patient,
                is_held_out=is_held_out,
                models=models,
                strategy=strategy.name,
                draft_dice=round(dice(draft, truth), 4),
                actions=done.log.actions,
                seconds=round(done.log.seconds, 1),
                unchanged=round(unchanged(draft, done.mask, example.plane.slice_axis).voxels, 4),
                dice=round(dice(done.mask, truth), 4),
            )
        )
        left.append(done.mask)
    return rows, left[0]
