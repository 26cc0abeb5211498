"""Jobs whose worker died while it ran them: they are run again, a few times, and then they wait for a person."""

import logging
from typing import Any

from django.dispatch import Signal
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from annotation_backend.supervision.presence import is_present

logger = logging.getLogger(__name__)

MOST_DEATHS = 3
"""A job that this many workers died of is not tried again: it may be what kills them."""

WORKER_GONE = "annotation_backend.lost_jobs.WorkerGone"
"""Stands where a failed job names the exception that ended it; rows of every installation hold this very text."""

job_given_up = Signal()
"""Sent with `task_path` and `kwargs` of a job that is not tried again."""


def lost_jobs() -> list[DBTaskResult]:
    """Jobs that are noted as running and whose worker is not there any more."""
    return [row for row in DBTaskResult.objects.running() if not any(map(is_present, row.worker_ids[-1:]))]


def take_up_lost_jobs() -> int:
    """Queues lost jobs again; gives up those that too many workers died of.

    Returns:
        How many were lost.
    """
    lost = lost_jobs()
    for row in lost:
        if len(row.worker_ids) < MOST_DEATHS:
            _change(row, status=TaskResultStatus.READY, started_at=None)
            logger.warning("%s was lost with its worker and is queued again", name_of(row))
        else:
            _give_up(row)
    return len(lost)


def given_up() -> list[DBTaskResult]:
    """Jobs that are not tried again and did not succeed since, the newest first."""
    rows = DBTaskResult.objects.failed().filter(exception_class_path=WORKER_GONE).order_by("-finished_at")
    return [row for row in rows if not _succeeded_since(row)]


def _succeeded_since(row: DBTaskResult) -> bool:
    same = DBTaskResult.objects.successful().filter(task_path=row.task_path, args_kwargs=row.args_kwargs)
    return bool(same.filter(enqueued_at__gt=row.enqueued_at).exists())


def name_of(row: DBTaskResult) -> str:
    """A job as people are told of it: its name, and its case where it has one."""
    job = str(row.task_path).rpartition(".")[2]
    code = row.args_kwargs.get("kwargs", {}).get("case_code")
    return f"{job} of {code}" if code else job


def _give_up(row: DBTaskResult) -> None:
    words = f"{len(row.worker_ids)} workers died while they ran it."
    failed = {"exception_class_path": WORKER_GONE, "traceback": words, "finished_at": timezone.now()}
    _change(row, status=TaskResultStatus.FAILED, **failed)
    logger.error("%s is given up: %s", name_of(row), words)
    job_given_up.send(sender=DBTaskResult, task_path=row.task_path, kwargs=row.args_kwargs.get("kwargs", {}))


def _change(row: DBTaskResult, **values: Any) -> None:
    """Changes the job, unless another worker took it up meanwhile."""
    same = DBTaskResult.objects.filter(pk=row.pk, status=TaskResultStatus.RUNNING, started_at=row.started_at)
    same.update(**values)
