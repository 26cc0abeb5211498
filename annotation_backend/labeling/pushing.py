"""Showing predictions in Label Studio without taking any away.

An editor that is open remembers the prediction its annotation began with, and Label Studio refuses the submit when that
prediction is gone (400, ``parent_prediction``). So a prediction that is there is changed in place and keeps its number;
only where a task has none is one made.
"""

from collections.abc import Sequence
from typing import Any

from annotation_backend.labeling.answers import rows_of
from annotation_backend.labeling.client import call
from annotation_backend.labeling.models import LabelingProject, LabelingTask
from datasets.errors import RejectedInput

_SHOWN = ("result", "model_version", "score")


def show_predictions(tasks: Sequence[LabelingTask], bodies: Sequence[dict[str, Any]]) -> None:
    """Shows one prediction a task, all versions visible.

    Args:
        tasks: Tasks of one project.
        bodies: The prediction of each, in Label Studio's form.

    Raises:
        TryAgain: Label Studio does not answer; what it took stays.
    """
    new = [body for task, body in zip(tasks, bodies, strict=True) if not _changed(task, body)]
    if new:
        project = tasks[0].project
        call("POST", f"/api/projects/{project.label_studio_id}/import/predictions", json=new)
        _show_all_versions(project)


def _changed(task: LabelingTask, body: dict[str, Any]) -> bool:
    """Changes the predictions that a task has; whether there was one."""
    there = call("GET", "/api/predictions/", params={"task": task.label_studio_id})
    rows = rows_of(there.get("results") if isinstance(there, dict) else there, id=int)
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
