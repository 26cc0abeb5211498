"""Pushing predictions into Label Studio, so that opening a task never waits for a model."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from annotation_backend.cases.models import Case
from annotation_backend.cases.services import imported_tumour, picture_plane
from annotation_backend.inference.services import SlicePrediction, predict_slices
from annotation_backend.labeling.client import call
from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.regions import region_of
from annotation_backend.registry.models import Model, PromptKind
from annotation_backend.registry.services import serving_model
from datasets.mask import Mask
from datasets.picture_plane import PicturePlane
from training.model_package import Method
from training.prompts.prompt import Box, Prompts

logger = logging.getLogger(__name__)

Inside = NDArray[np.bool_]

BOX_MARGIN_PIXELS = 3
"""An imported contour's box is widened by this much, as LiteMedSAM's own 3D recipe does from slice to slice."""


def push_predictions(case: Case, *, progress: Callable[[int, int], None] | None = None) -> int:
    """Draws on the slices that nobody submitted and this model has not drawn yet; replaces what Label Studio shows.

    Args:
        case: A registered case with published tasks.
        progress: Called with (slices done, slices to do).

    Returns:
        How many predictions with a mask were pushed; slices that this model drew before are left as they are.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: No model serves.
    """
    model = serving_model(PromptKind.AUTOMATIC)
    tasks = list(waiting_tasks(case).exclude(drawn_by=model).select_related("project"))
    contour = contour_for(model, case)
    drawn: list[tuple[LabelingTask, SlicePrediction]] = []
    for done, task in enumerate(tasks):
        drawn.append((task, draw_unprompted(case, task.slice_index, model=model, contour=contour)))
        if progress:
            progress(done + 1, len(tasks))
    if tasks:
        _replace_predictions(tasks, [_prediction_body(task, prediction) for task, prediction in drawn])
        LabelingTask.objects.filter(pk__in=[task.pk for task in tasks]).update(drawn_by=model)
    found = sum(bool(prediction.mask.any()) for _, prediction in drawn)
    logger.info("pushed %d predictions for %s, %d with a mask", len(drawn), case, found)
    return found


def region_id_of(task: LabelingTask) -> str:
    """Id of the tumour's region on a task: always the same, so that Label Studio puts a newer mask in its place."""
    return f"tumour{task.pk}"


def waiting_tasks(case: Case) -> QuerySet[LabelingTask]:
    """Living tasks of a case that nobody submitted."""
    return case.labeling_tasks.filter(state=TaskState.PENDING, project__is_retired=False)


def contour_for(model: Model, case: Case) -> Mask | None:
    """The contour that came with the studies, where this model can only draw what a box points at."""
    return imported_tumour(case) if model.method == Method.LITE_MEDSAM.value else None


def draw_unprompted(case: Case, index: int, *, model: Model, contour: Mask | None) -> SlicePrediction:
    """What a model draws on a slice before a person pointed at anything.

    LiteMedSAM only draws what a box points at. A contour that came with the studies (see `contour_for`) gives the
    box of its slices; elsewhere it draws nothing, because with the whole picture as its box it paints the whole limb. A
    trained automatic model needs no prompt.
    """
    if model.method != Method.LITE_MEDSAM.value:
        [drawn] = predict_slices(case, [index], prompts=Prompts(), model=model)
        return drawn
    plane = picture_plane(case)
    box = None if contour is None else _box_around(contour, plane, index)
    if box is None:
        return SlicePrediction(index, np.zeros(plane.shape, dtype=bool), None, model, str(model))
    [drawn] = predict_slices(case, [index], prompts=Prompts(boxes=(box,)), model=model)
    return drawn


def _box_around(mask: Mask, plane: PicturePlane, index: int) -> Box | None:
    """The box around the mask on one slice, widened by the margin; None where the slice holds none of it."""
    rows, columns = np.nonzero(plane.to_picture(mask.foreground, index))
    if rows.size == 0:
        return None
    low = np.array([columns.min(), rows.min()]) - BOX_MARGIN_PIXELS
    high = np.array([columns.max(), rows.max()]) + 1 + BOX_MARGIN_PIXELS
    limits = np.array([plane.width, plane.height])
    corners = plane.grid.to_world(plane.pixel_to_voxel(np.clip([low, high], 0, limits), index=index))
    (ax, ay, az), (bx, by, bz) = corners.tolist()
    return Box((ax, ay, az), (bx, by, bz))


def push_masks(drawn: Sequence[tuple[LabelingTask, Inside, str]]) -> None:
    """Shows masks as the predictions of tasks, in place of those that are there.

    Args:
        drawn: Task, boolean mask (height, width) and model version of each; all of one project.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    bodies = []
    for task, mask, version in drawn:
        region = region_of(mask, region_id=region_id_of(task), score=None)
        result = [region] if mask.any() else []
        bodies.append({"task": task.label_studio_id, "result": result, "model_version": version})
    _replace_predictions([task for task, _, _ in drawn], bodies)


def _prediction_body(task: LabelingTask, prediction: SlicePrediction) -> dict[str, Any]:
    region = region_of(prediction.mask, region_id=region_id_of(task), score=prediction.score)
    body = {
        "task": task.label_studio_id,
        "result": [region] if prediction.mask.any() else [],
        "model_version": prediction.model_version,
    }
    return body if prediction.score is None else {**body, "score": prediction.score}


def _replace_predictions(tasks: Iterable[LabelingTask], bodies: list[dict[str, Any]]) -> None:
    """Removes the shown predictions of `tasks`, puts `bodies` in their place, and shows all versions."""
    project = next(iter(tasks)).project
    selected = {"all": False, "included": [task.label_studio_id for task in tasks]}
    call(
        "POST",
        "/api/dm/actions",
        params={"id": "delete_tasks_predictions", "project": project.label_studio_id},
        json={"selectedItems": selected},
    )
    if bodies:
        call("POST", f"/api/projects/{project.label_studio_id}/import/predictions", json=bodies)
    show_all_versions(project)


def show_all_versions(project: LabelingProject) -> None:
    """Label Studio hides predictions of other versions than the project's; ours says none."""
    call("PATCH", f"/api/projects/{project.label_studio_id}/", json={"model_version": ""})
