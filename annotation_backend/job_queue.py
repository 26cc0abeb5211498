"""Queues a job once: at most one of a kind waits for a case, however often it is asked for."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult


def queue_once(job: Any, **words: Any) -> bool:
    """Queues a job, unless the same waits already with the same words; call it in the transaction of the change.

    The waiting row is locked until the caller's transaction ends, so that a worker which takes it up sees what the
    caller wrote. One that runs already does not count: it may have looked before.

    Args:
        job: The job to queue.
        words: Its keyword arguments, by which a waiting duplicate is recognised.

    Returns:
        Whether it was queued.
    """
    same = {f"args_kwargs__kwargs__{name}": value for name, value in words.items()}
    waiting = DBTaskResult.objects.ready().filter(task_path=job.module_path, queue_name=job.queue_name, **same)
    with transaction.atomic():
        if waiting.select_for_update(skip_locked=True).values_list("pk", flat=True).first() is not None:
            return False
        job.enqueue(**words)
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
        run_after__lt=now + 2 * after,  # `run_after` is the year 9999 if no time was given
    )
    if waiting.exists():
        return False
    job.using(run_after=now + after).enqueue(case_code=case_code)
    return True
