"""The state of each task and the reviewer's comment, mirrored into its data in Label Studio for tabs and editor."""

import logging

from django.db.models import F

from annotation_backend.cases.models import Case
from annotation_backend.labeling.client import call
from annotation_backend.labeling.models import LabelingTask
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
    for task in stale:
        path = f"/api/tasks/{task.label_studio_id}/"
        try:
            data = call("GET", path, params={"fields": "task_only"})["data"]
        except RejectedInput as error:
            logger.warning("%s was deleted in Label Studio; publish_tasks makes it anew (%s)", task, error.code)
            continue
        if (data.get("case"), data.get("slice")) != (case.code, task.slice_index):
            logger.warning("%s was deleted in Label Studio, and its number is another task's now", task)
            continue
        call("PATCH", path, json={"data": {**data, "state": task.state, "review_comment": task.review_comment}})
        LabelingTask.objects.filter(pk=task.pk).update(mirrored_state=task.state, mirrored_comment=task.review_comment)
    return len(stale)
