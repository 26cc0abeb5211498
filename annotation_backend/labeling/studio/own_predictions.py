"""Which predictions on tasks are for one person alone."""

from collections.abc import Collection

from annotation_backend.labeling.models import OwnPrediction


def own_predictions(tasks: Collection[int]) -> dict[int, dict[int, int]]:
    """By task and by Label Studio's number of a prediction: whom alone it is shown to; one query.

    Args:
        tasks: Our keys of tasks.
    """
    found: dict[int, dict[int, int]] = {}
    for row in OwnPrediction.objects.filter(task__in=tasks):
        found.setdefault(row.task_id, {})[row.label_studio_id] = row.person_id
    return found
