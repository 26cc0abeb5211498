"""Showing predictions in Label Studio without taking any away.

An editor that is open remembers the prediction its annotation began with, and Label Studio refuses the submit when that
prediction is gone (400, ``parent_prediction``). So a prediction that is there is changed in place and keeps its number;
only where a task has none is one made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from annotation_backend.labeling.models import LabelingProject, LabelingTask, OwnPrediction
from annotation_backend.labeling.studio.answers import rows_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.studio.task_data import digest_of
from datasets.errors import RejectedInput

_SHOWN = ("result", "model_version", "score")

_HIDDEN = "is drawn anew"

_KNOWN_ANSWERS = 3
"""Label Studio shows a prediction that it asked for itself beside the one that was pushed, or in its place."""


def show_predictions(tasks: Sequence[LabelingTask], bodies: Sequence[dict[str, Any]]) -> None:
    """Shows one prediction a task, all versions visible.

    Args:
        tasks: Tasks of one project.
        bodies: The prediction of each, in Label Studio's form.

    Raises:
        TryAgain: Label Studio does not answer; what it took stays.
    """
    _note(tasks, bodies, keep=1)
    new = [body for task, body in zip(tasks, bodies, strict=True) if not change_predictions(task, body)]
    if new:
        project = tasks[0].project
        call("POST", f"/api/projects/{project.label_studio_id}/import/predictions", json=new)
        _show_all_versions(project)
    _note(tasks, bodies, keep=0)


def note_answers(tasks: Sequence[LabelingTask], bodies: Sequence[Mapping[str, Any]]) -> None:
    """Stores digests of predictions with which we answered Label Studio; it may show them from now on."""
    _note(tasks, bodies, keep=_KNOWN_ANSWERS)


def hide_predictions(task: LabelingTask) -> None:
    """Empties a task's predictions, without deleting them, until a model has drawn anew."""
    nothing = {"task": task.label_studio_id, "result": [], "model_version": _HIDDEN}
    _note([task], [nothing], keep=1)
    change_predictions(task, nothing)
    _note([task], [nothing], keep=0)


def _note(tasks: Sequence[LabelingTask], bodies: Sequence[Mapping[str, Any]], *, keep: int) -> None:
    """Stores digests of predictions before Label Studio gets them, so that `watch` takes none for somebody else's."""
    known = dict(LabelingTask.objects.filter(pk__in=[task.pk for task in tasks]).values_list("pk", "shown"))
    for task, body in zip(tasks, bodies, strict=True):
        new = digest_of(body["result"])
        before = [digest for digest in known.get(task.pk, []) if digest != new]
        task.shown = [*(before[-keep:] if keep else []), new]
    LabelingTask.objects.bulk_update(tasks, ["shown"])


def change_predictions(task: LabelingTask, body: dict[str, Any]) -> bool:
    """Changes the predictions that a task has; whether there was one."""
    there = call("GET", "/api/predictions/", params={"task": task.label_studio_id})
    rows = rows_of(there.get("results") if isinstance(there, dict) else there, id=int)
    own = set(OwnPrediction.objects.filter(task=task).values_list("label_studio_id", flat=True))
    rows = [row for row in rows if row["id"] not in own]
    shown = {"score": None, **{name: body[name] for name in _SHOWN if name in body}}
    changed = [_change(row["id"], shown) for row in rows]
    return any(changed)


def _change(identifier: int, shown: dict[str, Any]) -> bool:
    try:
        call("PATCH", f"/api/predictions/{identifier}/", json=shown)
    except RejectedInput as error:
        if error.code != "label-studio-missing":
            raise
        return False  # deleted in Label Studio since
    return True


def _show_all_versions(project: LabelingProject) -> None:
    """Label Studio hides predictions of other versions than the project's; ours says none."""
    call("PATCH", f"/api/projects/{project.label_studio_id}/", json={"model_version": ""})
