"""Large batches: thousands of tasks in one /predict, answered within Label Studio's time with the predictions ready.

Label Studio sends all selected tasks in one request, waits 100 s, and saves nothing where the number of answers is not
the number of tasks. An answer is a prediction or a list of predictions; of an empty list it saves nothing, and what is
pushed later through ``import/predictions`` is the task's first (read in its ``ml/models.py``, 1.23.2). An answer with
an empty result would be saved as a prediction that found nothing. So a task that is not ready is answered with `LATER`,
and a job draws and pushes it.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from annotation_backend.inference.serving.initial_masks import drawn_and_kept, stored_initial_masks
from annotation_backend.inference.serving.segmenting import SlicePrediction
from annotation_backend.labeling.interface.project_settings import answering_model, project_settings
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.predictions.jobs import queue_pushing
from annotation_backend.labeling.predictions.predictions import can_be_drawn, result_of
from annotation_backend.labeling.saves.save import LARGEST_ID
from annotation_backend.registry.models import Model, PromptKind
from datasets.errors import RejectedInput, TryAgain

logger = logging.getLogger(__name__)

Answer = dict[str, Any] | list[Any]

LATER: Answer = []
"""The answer to a task that is not ready: no prediction now."""

RECORDS_TOGETHER = 200
"""Tasks looked up and read at once: their masks are 50 MB at 512 x 512."""

MOST_CODES = 4_000_000
"""Numbers of brush masks in one answer, 32 MB of memory; the rest is pushed, portion by portion."""

_FIRST_GUESS_SECONDS = 3.0
"""Assumed time for a slice before any was drawn."""


def records_of(identifiers: Sequence[int], *, project: int) -> list[LabelingTask | None]:
    """The records of Label Studio's tasks, in order; None where a task belongs to no case here.

    Args:
        identifiers: Label Studio's ids of tasks.
        project: Its id of their project.
    """
    found: dict[int, LabelingTask] = {}
    living = LabelingTask.objects.filter(project__label_studio_id=project, project__is_retired=False)
    living = living.select_related("case__study", "project").prefetch_related("case__exclusions")
    for some in _portions([each for each in identifiers if 0 < each <= LARGEST_ID]):
        found |= {record.label_studio_id: record for record in living.filter(label_studio_id__in=some)}
    return [found.get(identifier) for identifier in identifiers]


def answer_batch(records: Sequence[LabelingTask | None], *, deadline: float) -> list[Answer]:
    """Predictions of tasks of one project, in order; `LATER` for those that a job draws and pushes.

    Args:
        records: From `records_of`; one that is None is answered with `LATER`, and nothing follows.
        deadline: `time.monotonic()` at which the answer is to be there.

    Raises:
        RejectedInput: No model serves.
    """
    known = next((record for record in records if record is not None), None)
    if known is None:
        return [LATER] * len(records)
    batch = _Batch(
        answering_model(known.project, PromptKind.AUTOMATIC),
        project_settings(known.project).mask_format,
        [LATER] * len(records),
        deadline,
    )
    placed = [(place, record) for place, record in enumerate(records) if record is not None]
    for some in _portions(placed):
        batch.answer_stored(some)
    for same_case in _by_case(batch.waiting):
        batch.draw(same_case)
    batch.leave_rest()
    return batch.answers


@dataclass
class _Batch:
    """One /predict request while it is answered.

    Args:
        model: The model that draws.
        mask_format: Format of the masks in the answers.
        answers: One a task.
        deadline: `time.monotonic()` at which the answer is to be there.
        waiting: Places and tasks without an answer so far.
        codes: Numbers of masks in the answers.
        seconds: Time for a slice, as measured so far.
    """

    model: Model
    mask_format: MaskFormat
    answers: list[Answer]
    deadline: float
    waiting: list[tuple[int, LabelingTask]] = field(default_factory=list)
    codes: int = 0
    seconds: float = _FIRST_GUESS_SECONDS

    def answer_stored(self, placed: Sequence[tuple[int, LabelingTask]]) -> None:
        """Answers with the initial masks that the database holds."""
        cases = {record.case_id: record.case for _, record in placed if can_be_drawn(record.case)}
        indices = {record.slice_index for _, record in placed}
        stored = stored_initial_masks(list(cases.values()), sorted(indices), model=self.model)
        for place, record in placed:
            prediction = stored.get((record.case_id, record.slice_index))
            if record.case_id in cases and not (prediction and self._answer(place, record, prediction)):
                self.waiting.append((place, record))

    def draw(self, placed: Sequence[tuple[int, LabelingTask]]) -> None:
        """Draws on tasks of one case while there is time; a case that cannot be drawn on harms no other."""
        indices = list(dict.fromkeys(record.slice_index for _, record in placed))
        if not self._is_time_for(len(indices)):
            return
        drawn: dict[int, SlicePrediction] = {}
        started = time.monotonic()
        try:
            for portion in drawn_and_kept(placed[0][1].case, indices, model=self.model):
                drawn |= {prediction.index: prediction for prediction in portion}
                self.seconds = (time.monotonic() - started) / max(len(drawn), 1)
                if not self._is_time_for(1):
                    break
        except (RejectedInput, TryAgain) as error:
            logger.warning("%s is left out of a batch: %s", placed[0][1].case, error)
        for place, record in placed:
            if record.slice_index in drawn:
                self._answer(place, record, drawn[record.slice_index])

    def leave_rest(self) -> None:
        """Queues the tasks that have no answer."""
        rest: dict[str, list[int]] = {}
        for place, record in self.waiting:
            if self.answers[place] is LATER:
                rest.setdefault(record.case.code, []).append(record.slice_index)
        queue_pushing(rest)

    def _is_time_for(self, slices: int) -> bool:
        return time.monotonic() + slices * self.seconds < self.deadline

    def _answer(self, place: int, record: LabelingTask, prediction: SlicePrediction) -> bool:
        if self.codes >= MOST_CODES:
            return False
        found = result_of(record, prediction, mask_format=self.mask_format)
        self.codes += sum(_size_of(region["value"]) for region in found["result"])
        self.answers[place] = found
        return True


def _size_of(value: Mapping[str, Any]) -> int:
    """Size of a region's mask: the numbers of a brush mask, or an eighth of the letters of a bitmask."""
    rle = value.get("rle")
    return len(rle) if isinstance(rle, list) else len(str(value.get("imageDataURL", ""))) // 8


def _by_case(placed: Sequence[tuple[int, LabelingTask]]) -> Iterator[list[tuple[int, LabelingTask]]]:
    groups: dict[int, list[tuple[int, LabelingTask]]] = {}
    for place, record in placed:
        groups.setdefault(record.case_id, []).append((place, record))
    yield from groups.values()


def _portions(items: Sequence[Any]) -> Iterator[list[Any]]:
    remaining = iter(items)
    while some := list(islice(remaining, RECORDS_TOGETHER)):
        yield some
