"""The state of each task, mirrored into its data in Label Studio, where tabs filter by it."""

from django.db.models import F

from annotation_backend.cases.models import Case
from annotation_backend.labeling.client import call
from annotation_backend.labeling.models import LabelingTask


def mirror_states(case: Case) -> int:
    """Writes the state of the case's tasks into Label Studio where it differs.

    Returns:
        How many tasks were changed there.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    stale = LabelingTask.objects.filter(case=case).exclude(state=F("mirrored_state"))
    for task in stale:
        path = f"/api/tasks/{task.label_studio_id}/"
        data = call("GET", path, params={"fields": "task_only"})["data"]
        call("PATCH", path, json={"data": {**data, "state": task.state}})
        LabelingTask.objects.filter(pk=task.pk).update(mirrored_state=task.state)
    return len(stale)
