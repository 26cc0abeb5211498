"""Pushing predictions into Label Studio, so that opening a task never waits for a model."""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from annotation_backend.cases.models import Case
from annotation_backend.inference.jobs import embed_case
from annotation_backend.inference.serving.initial_masks import initial_masks
from annotation_backend.inference.serving.segmenting import SlicePrediction
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.interface.project_settings import (
    answering_model,
    project_settings,
)
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import LabelingTask, TaskState
from annotation_backend.labeling.studio.shown_predictions import show_predictions
from annotation_backend.registry.model_registry import first_label
from annotation_backend.registry.models import PromptKind
from annotation_backend.stages.hiding import drawn_without_models
from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.progress import Progress

logger = logging.getLogger(__name__)


PUSHED_TOGETHER = 100
"""Predictions in one request to Label Studio: about half a megabyte."""


def push_predictions(case: Case, *, progress: Progress | None = None) -> int:
    """Shows a model's masks on the slices that nobody submitted and this model has not drawn yet; safe to run twice.

    Masks that were drawn before come out of the database. The slices are embedded by a job that this queues. On a case
    that is drawn by hand or blind now, nothing is shown.

    Args:
        case: A registered case with published tasks.
        progress: Called with (slices done, slices to do).

    Returns:
        How many predictions with a mask were pushed; slices that this model drew before are left as they are.

    Raises:
        TryAgain: Label Studio does not answer; what it took stays, and the same call goes on there.
        RejectedInput: No model serves.
    """
    waiting = list(waiting_tasks(case).select_related("project"))
    if not waiting or case.protocol.prompted_label is None or drawn_without_models([case]):
        return 0
    model = answering_model(waiting[0].project, PromptKind.AUTOMATIC)
    tasks = [task for task in waiting if task.drawn_by_id != model.pk]
    try:
        drawn = initial_masks(case, [task.slice_index for task in tasks], model=model, progress=progress)
    except RejectedInput as error:
        if error.code != "case-image-missing":
            raise
        logger.warning("%s stays without predictions: %s", case, error)
        return 0
    for start in range(0, len(tasks), PUSHED_TOGETHER):
        push_drawn(tasks[start : start + PUSHED_TOGETHER], drawn[start : start + PUSHED_TOGETHER])
    found = sum(bool(prediction.mask.any()) for prediction in drawn)
    logger.info("pushed %d predictions for %s, %d with a mask", len(drawn), case, found)
    with transaction.atomic():
        queue_once(embed_case, case_code=case.code)
    return found


def push_drawn(tasks: Sequence[LabelingTask], drawn: Sequence[SlicePrediction]) -> None:
    """Shows one model's masks in place of the predictions on tasks of one case; none of an excluded one.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    if not Case.objects.not_excluded().filter(pk=tasks[0].case_id).exists():  # it may have been while they were drawn
        logger.info("predictions of %s are not shown: it was excluded meanwhile", tasks[0].case)
        return
    bodies = [
        {"task": task.label_studio_id, **result_of(task, prediction)}
        for task, prediction in zip(tasks, drawn, strict=True)
    ]
    show_predictions(tasks, bodies)
    LabelingTask.objects.filter(pk__in=[task.pk for task in tasks]).update(drawn_by=drawn[0].model)


def region_id_of(task: LabelingTask, label: str = "") -> str:
    """Id of a prediction's region on a task: always the same, so that Label Studio puts a newer mask in its place.

    Args:
        task: The slice's.
        label: That the region is of; empty for the first that prompts draw.
    """
    if label in ("", first_label(task.project.study)):
        return f"tumour{task.pk}"
    return f"label{task.project.protocol.label(label).value}of{task.pk}"


def waiting_tasks(case: Case) -> QuerySet[LabelingTask]:
    """Living tasks of a case that nobody submitted; none of an excluded case."""
    tasks = case.labeling_tasks.filter(state=TaskState.PENDING, project__is_retired=False)
    return tasks if case.exclusion is None else tasks.none()


def push_masks(drawn: Sequence[tuple[LabelingTask, Inside, str]]) -> None:
    """Shows masks as the predictions of tasks, in place of those that are there.

    Args:
        drawn: Task, boolean mask (height, width) and model version of each; all of one project.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    bodies = []
    for task, mask, version in drawn:
        chosen = project_settings(task.project).mask_format
        label = first_label(task.project.study)
        region = region_of(mask, region_id=region_id_of(task), score=None, label=label, mask_format=chosen)
        result = [region] if mask.any() else []
        bodies.append({"task": task.label_studio_id, "result": result, "model_version": version})
    show_predictions([task for task, _, _ in drawn], bodies)


def can_be_drawn(case: Case) -> bool:
    """Whether models may draw on the case: registered, exported and in use."""
    return case.is_registered and case.picture_plane is not None and case.exclusion is None


def result_of(
    task: LabelingTask, prediction: SlicePrediction, *, mask_format: MaskFormat | None = None
) -> dict[str, Any]:
    """A prediction as an answer to /predict.

    Args:
        task: The task of the slice, with its project.
        prediction: The mask that a model drew.
        mask_format: The project's, where it is known.
    """
    body: dict[str, Any] = {"result": [], "model_version": prediction.model_version}
    if prediction.mask.any():
        mask_format = mask_format or project_settings(task.project).mask_format
        region_id = region_id_of(task)
        label = first_label(task.project.study)
        body["result"] = [
            region_of(
                prediction.mask, region_id=region_id, score=prediction.score, label=label, mask_format=mask_format
            )
        ]
    return body if prediction.score is None else {**body, "score": prediction.score}
