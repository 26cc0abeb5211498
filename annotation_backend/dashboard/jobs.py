"""The job that works a large study's figures out."""

from django_tasks import task

from annotation_backend.dashboard.figures import work_out
from annotation_backend.studies.models import Study


@task()
def work_out_figures(*, study: int) -> bool:
    """Works out and keeps the figures of a study; safe to run twice.

    Returns:
        Whether the study is there.
    """
    found = Study.objects.filter(pk=study).first()
    if found is not None:
        work_out(found)
    return found is not None
