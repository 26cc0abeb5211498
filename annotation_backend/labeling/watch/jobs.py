"""The job that a changed project starts, so that nobody waits for the next round of reconciliation."""

from django_tasks import task

from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.watch.services import settle


@task()
def look_over_project(*, project: int) -> list[str]:
    """Looks at a project that Label Studio says was changed, and at its changed tasks, and mends what differs.

    Args:
        project: Our key of it.
    """
    row = LabelingProject.objects.filter(pk=project, is_retired=False).first()
    return settle(row, is_full=False) if row else []
