"""The job that draws and pushes the predictions that a large batch did not get at once."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from annotation_backend.cases.models import Case
from annotation_backend.inference.serving.initial_masks import initial_masks
from annotation_backend.labeling.interface.project_settings import answering_model
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.predictions.predictions import PUSHED_TOGETHER, can_be_drawn, push_drawn, waiting_tasks
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput, TryAgain

logger = logging.getLogger(__name__)

PORTION_SECONDS = 20.0
"""After this time the job makes room for others and queues its rest anew."""

AGAIN_SECONDS, MOST_ATTEMPTS = 60, 30
"""Pause and number of attempts while Label Studio does not answer: half an hour."""

AFTER_SAVES = -5
"""Priority of the job: people's saves are assembled first."""


def queue_pushing(slices: Mapping[str, Sequence[int]]) -> None:
    """Queues that slices are drawn and pushed, by case code; those that wait for it already are left out."""
    waiting: dict[str, set[int]] = {}
    for row in DBTaskResult.objects.ready().filter(task_path=push_slices.module_path):
        for code, indices in row.args_kwargs["kwargs"]["slices"].items():
            waiting.setdefault(code, set()).update(indices)
    rest = {code: sorted(set(indices) - waiting.get(code, set())) for code, indices in slices.items()}
    rest = {code: indices for code, indices in rest.items() if indices}
    if rest:
        push_slices.enqueue(slices=rest)
        logger.info("slices of %d cases of a batch are drawn later", len(rest))


def queue_undrawn(case: Case) -> int:
    """Queues the predictions of a case's slices that nobody submitted and no model has drawn.

    Returns:
        How many slices these are.
    """
    indices = list(waiting_tasks(case).filter(drawn_by__isnull=True).values_list("slice_index", flat=True))
    if indices:
        queue_pushing({case.code: indices})
    return len(indices)


@task(priority=AFTER_SAVES)
def push_slices(*, slices: dict[str, list[int]], attempt: int = 1) -> int:
    """Draws slices unprompted, or takes them from the database, and shows them in Label Studio, case by case.

    It goes on for `PORTION_SECONDS`; the rest is a job of its own, so that others come in between.
    """
    until, pushed, rest = time.monotonic() + PORTION_SECONDS, 0, dict(slices)
    while rest and time.monotonic() < until:
        code = next(iter(rest))
        try:
            pushed += _push(code, rest[code])
        except TryAgain as error:
            if attempt >= MOST_ATTEMPTS:
                raise
            logger.warning("pushing goes on in %d s: %s", AGAIN_SECONDS, error.code)
            later = timezone.now() + timedelta(seconds=AGAIN_SECONDS)
            push_slices.using(run_after=later).enqueue(slices=rest, attempt=attempt + 1)
            return pushed
        except RejectedInput as error:
            logger.warning("%s stays without predictions: %s", code, error)
        del rest[code]
    if rest:
        push_slices.enqueue(slices=rest)
    return pushed


def _push(code: str, indices: Sequence[int]) -> int:
    """One case's slices; returns how many tasks were given a prediction."""
    found = LabelingTask.objects.filter(case__code=code, slice_index__in=indices, project__is_retired=False)
    tasks = list(found.filter(label_studio_id__gt=0).select_related("project", "case__study"))
    if not tasks or not can_be_drawn(tasks[0].case):
        logger.warning("%s has no such slices any more; there is nothing to push", code)
        return 0
    model = answering_model(tasks[0].project, PromptKind.AUTOMATIC)
    drawn = initial_masks(tasks[0].case, [record.slice_index for record in tasks], model=model)
    for start in range(0, len(tasks), PUSHED_TOGETHER):
        push_drawn(tasks[start : start + PUSHED_TOGETHER], drawn[start : start + PUSHED_TOGETHER])
    return len(tasks)
