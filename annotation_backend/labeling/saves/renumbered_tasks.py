"""Numbers that tasks had in Label Studio, which gives a deleted task's number to the next one it makes."""

from collections.abc import Mapping

from django.db.models import Q

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import FormerTask, LabelingProject, LabelingTask


def mark_former_tasks(project: LabelingProject, case: Case, identifiers: Mapping[int, int]) -> None:
    """Marks older tasks with the number or the slice of a new one as deleted in Label Studio; call it before recording.

    The records stay and remember their numbers, for saves that come late.

    Args:
        project: The project of the new tasks.
        case: The case of the new tasks.
        identifiers: Label Studio's number of the new task of each slice.
    """
    renumbered = Q(project=project, label_studio_id__in=identifiers.values())
    published_again = Q(case=case, slice_index__in=identifiers.keys())
    gone = LabelingTask.objects.filter(renumbered | published_again, label_studio_id__gt=0)
    rows = [
        FormerTask(task_id=key, project_id=saved_in, label_studio_id=number)
        for key, saved_in, number in gone.values_list("pk", "project", "label_studio_id")
    ]
    FormerTask.objects.bulk_create(rows, ignore_conflicts=True)
    gone.update(label_studio_id=0)
