"""Predictions that one person is shown in place of those that everybody is; the door of Label Studio asks for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from annotation_backend.accounts.models import User
from annotation_backend.labeling.interface.project_settings import answering_model, project_settings
from annotation_backend.labeling.masks.regions import region_of
from annotation_backend.labeling.models import LabelingTask, OwnPrediction
from annotation_backend.labeling.predictions.predictions import region_id_of
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.studio.shown_predictions import note_answers
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput
from datasets.image.mask import Inside


def show_to(person: User, drawn: Sequence[tuple[LabelingTask, Mapping[str, Inside]]]) -> int:
    """Shows masks to one person as the predictions of tasks; safe to run twice.

    They carry the name of the model that draws first in the study, like other predictions.

    Args:
        person: Who is shown them.
        drawn: Each task, with its masks (height, width) by label.

    Returns:
        How many were shown anew.

    Raises:
        TryAgain: Label Studio does not answer; what it took stays, and the same call goes on there.
    """
    known = set(OwnPrediction.objects.filter(person=person).values_list("task", flat=True))
    new = [(task, masks) for task, masks in drawn if task.pk not in known]
    for task, masks in new:
        body = {"task": task.label_studio_id, "model_version": _version(task), "result": _result(task, masks)}
        note_answers([task], [body])
        number = record_of(call("POST", "/api/predictions/", json=body), id=int)["id"]
        OwnPrediction.objects.create(task=task, person=person, label_studio_id=number)
    return len(new)


def _version(task: LabelingTask) -> str:
    try:
        return str(answering_model(task.project, PromptKind.AUTOMATIC))
    except RejectedInput:
        return ""


def _result(task: LabelingTask, masks: Mapping[str, Inside]) -> list[dict[str, Any]]:
    chosen = project_settings(task.project).mask_format
    return [
        region_of(mask, region_id=region_id_of(task, label), score=None, label=label, mask_format=chosen)
        for label, mask in masks.items()
        if mask.any()
    ]
