"""Which job waits for which case: one at most, however many saves ask for it."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult


def queue_assembly(case_code: str) -> None:
    """Queues the assembly of a case's mask, unless one waits already; call it in the transaction of the change."""
    from annotation_backend.labeling.jobs import assemble_case  # the job stores saves, which queue it

    queue_once(assemble_case, case_code=case_code)


def queue_once(job: Any, *, case_code: str) -> bool:
    """Queues a job for a case, unless the same waits already.

    The waiting row is locked until the caller's transaction ends, so that a worker which takes it up sees what the
    caller wrote. One that runs already does not count: it may have looked before.

    Returns:
        Whether it was queued.
    """
    waiting = DBTaskResult.objects.ready().filter(
        task_path=job.module_path, args_kwargs__kwargs__case_code=case_code, queue_name=job.queue_name
    )
    with transaction.atomic():
        if waiting.select_for_update(skip_locked=True).values_list("pk", flat=True).first() is not None:
            return False
        job.enqueue(case_code=case_code)
    return True


def queue_later(job: Any, *, case_code: str, after: timedelta) -> bool:
    """Queues a job for a case at a later time, unless one waits for a later time already.

    Returns:
        Whether it was queued.
    """
    now = timezone.now()
    waiting = DBTaskResult.objects.filter(
        status=TaskResultStatus.READY,
        task_path=job.module_path,
        args_kwargs__kwargs__case_code=case_code,
        run_after__gt=now,
        run_after__lt=now + 2 * after,  # a job without a time has the end of all times
    )
    if waiting.exists():
        return False
    job.using(run_after=now + after).enqueue(case_code=case_code)
    return True


def queue_look(project: int) -> None:
    """Queues a look at a project (our key of it), unless one waits already."""
    from annotation_backend.labeling.watch.jobs import look_over_project  # its looks queue jobs

    waiting = DBTaskResult.objects.ready().filter(
        task_path=look_over_project.module_path, args_kwargs__kwargs__project=project
    )
    if not waiting.exists():
        look_over_project.enqueue(project=project)
