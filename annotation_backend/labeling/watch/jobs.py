"""The job that a changed project starts, so that nobody waits for the next round of reconciliation."""

import logging

from django_tasks import task

from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.watch.services import settle
from datasets.errors import MaskloopError

logger = logging.getLogger(__name__)


@task()
def look_over_project(*, project: int) -> list[str]:
    """Compares a project that Label Studio says was changed, and its changed tasks, and mends differences.

    Args:
        project: Our key of it.
    """
    row = LabelingProject.objects.filter(pk=project, is_retired=False).first()
    try:
        return settle(row, is_full=False) if row else []
    except MaskloopError as error:
        logger.warning("a changed project waits for the next round of reconciliation: %s", error)
        return [str(error)]
