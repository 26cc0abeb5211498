"""The state of each task and the reviewer's comment, mirrored into its data in Label Studio for tabs and editor."""

import logging

from django.db.models import F

from annotation_backend.cases.models import Case
from annotation_backend.labeling.answers import record_of
from annotation_backend.labeling.client import call
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.task_lists import FAILED
from datasets.errors import RejectedInput, TryAgain

logger = logging.getLogger(__name__)


def mirror_states(case: Case) -> int:
    """Writes state and comment of the case's tasks into Label Studio where they differ.

    Returns:
        How many tasks were changed there.

    Raises:
        TryAgain: Label Studio does not answer, or fails at every one of them.
    """
    tasks = LabelingTask.objects.filter(case=case, project__is_retired=False).select_related("case")
    stale = list(tasks.exclude(state=F("mirrored_state"), review_comment=F("mirrored_comment")))
    failed: list[TryAgain] = []
    for task in stale:
        try:
            _mirror(task)
        except TryAgain as error:
            if error.code != FAILED:
                raise
            failed.append(error)
            logger.warning("%s: Label Studio fails at its task %d (%s)", task, task.label_studio_id, error.code)
    if failed and len(failed) == len(stale):
        raise failed[0]
    return len(stale) - len(failed)


def _mirror(task: LabelingTask) -> None:
    """Writes one task's state and comment, unless its number is another's there by now."""
    path = f"/api/tasks/{task.label_studio_id}/"
    try:
        data = record_of(call("GET", path, params={"fields": "task_only"}), data=dict)["data"]
    except RejectedInput as error:
        logger.warning("%s was deleted in Label Studio; publish_tasks makes it anew (%s)", task, error.code)
        return
    if (data.get("case"), data.get("slice")) != (task.case.code, task.slice_index):
        logger.warning("%s was deleted in Label Studio, and its number is another task's now", task)
        return
    call("PATCH", path, json={"data": {**data, "state": task.state, "review_comment": task.review_comment}})
    LabelingTask.objects.filter(pk=task.pk).update(mirrored_state=task.state, mirrored_comment=task.review_comment)
