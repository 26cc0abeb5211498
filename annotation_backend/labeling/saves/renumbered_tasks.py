"""Numbers that tasks had in Label Studio, which gives a deleted task's number to the next one it makes."""

from collections.abc import Mapping

from django.db.models import Q

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import FormerTask, LabelingProject, LabelingTask


def make_way(project: LabelingProject, case: Case, identifiers: Mapping[int, int]) -> None:
    """Before new tasks are recorded: what had their numbers, or showed their slices, is gone from Label Studio.

    The records stay, and so does what number they had, for saves that come late.

    Args:
        project: Where the new tasks are.
        case: Whose they are.
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
