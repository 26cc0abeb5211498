"""Tasks of ours that somebody deleted in Label Studio: nobody sees those slices there any more.

Their annotations stay here, and `publish_tasks` makes them anew; that is left to a person, who may have meant it.
"""

from collections.abc import Container, Sequence

from annotation_backend.labeling.models import TASK_GONE, LabelingProject, LabelingTask, StudioChange, Subject
from annotation_backend.labeling.studio.client import unless_missing
from annotation_backend.labeling.studio.task_lists import FAILED
from annotation_backend.labeling.watch.difference import Difference
from datasets.errors import TryAgain


def differences(project: LabelingProject, there: Container[int]) -> list[Difference]:
    """Tasks of cases in use that Label Studio has no more; each that a list lacks is asked for by itself.

    Args:
        project: Our project in Label Studio.
        there: Label Studio's numbers of all tasks of the project.
    """
    records = LabelingTask.objects.filter(project=project, label_studio_id__gt=0, case__is_rehearsal=False)
    lacking = [task for task in records.select_related("case") if task.label_studio_id not in there]
    return [
        Difference(Subject.TASK_DATA, TASK_GONE, number=task.label_studio_id, task=task)
        for task in lacking
        if _is_gone(task)
    ]


def open_rows(project: LabelingProject) -> list[StudioChange]:
    """Records of tasks that were found to be gone and are not back."""
    return list(StudioChange.objects.filter(project=project, name=TASK_GONE, mended_at__isnull=True))


def told(found: Sequence[Difference]) -> list[str]:
    """One line a case."""
    codes = [one.task.case.code for one in found if one.task]
    return [
        f"{codes.count(code)} task(s) of {code} were deleted in Label Studio; their annotations stay here. Run "
        f"`manage.py publish_tasks --case {code}` to have them made anew. [task-gone]"
        for code in dict.fromkeys(codes)
    ]


def _is_gone(task: LabelingTask) -> bool:
    try:
        return (
            unless_missing("GET", f"/api/tasks/{task.label_studio_id}/") is None
            and LabelingTask.objects.filter(pk=task.pk, label_studio_id=task.label_studio_id).exists()
        )
    except TryAgain as error:
        if error.code != FAILED:
            raise
        return False  # Label Studio fails at this task, which reconciliation names
