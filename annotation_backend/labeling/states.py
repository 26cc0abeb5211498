"""The state of each task and the reviewer's comment, mirrored into its data in Label Studio for tabs and editor."""

import logging
from typing import Any

from django.db.models import F

from annotation_backend.cases.models import Case
from annotation_backend.labeling.client import call
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.task_data import write_task
from annotation_backend.labeling.watch.record import keep, mark_mended
from annotation_backend.labeling.watch.tasks import Pictures, of_data
from datasets.errors import RejectedInput

logger = logging.getLogger(__name__)


def mirror_states(case: Case) -> int:
    """Writes state and comment of the case's tasks into Label Studio where they differ.

    Returns:
        How many tasks were changed there.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    stale = LabelingTask.objects.filter(case=case, project__is_retired=False).exclude(
        state=F("mirrored_state"), review_comment=F("mirrored_comment")
    )
    pictures = Pictures()
    for task in stale.select_related("project", "case__patient"):
        path = f"/api/tasks/{task.label_studio_id}/"
        try:
            row = call("GET", path, params={"fields": "task_only"})
        except RejectedInput as error:
            logger.warning("%s was deleted in Label Studio; publish_tasks makes it anew (%s)", task, error.code)
            continue
        data = row["data"]
        if (data.get("case"), data.get("slice")) != (case.code, task.slice_index):
            logger.warning("%s was deleted in Label Studio, and its number is another task's now", task)
            continue
        changes = keep(task.project, of_data(task, row, pictures))
        _write(task, data, pictures)
        mark_mended(changes)
    return len(stale)


def _write(task: LabelingTask, data: dict[str, Any], pictures: Pictures) -> None:
    """The task's data as it should be, and not as somebody left it there, with the new state and comment."""
    task.mirrored_state, task.mirrored_comment = task.state, task.review_comment
    new = {"state": task.state, "review_comment": task.review_comment}
    write_task(task, pictures.wanted(task) or {**data, **new}, there=data)
    LabelingTask.objects.filter(pk=task.pk).update(mirrored_state=task.state, mirrored_comment=task.review_comment)
