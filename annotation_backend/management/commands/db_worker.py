"""`db_worker`: the worker of django-tasks-db, which shows its presence and takes up the jobs of a dead one."""

from contextlib import ExitStack
from typing import Any

from django_tasks_db.management.commands import db_worker

from annotation_backend.learning.jobs import QUEUE as TRAINING
from annotation_backend.supervision.lost_jobs import take_up_lost_jobs
from annotation_backend.supervision.presence import Part, clear_gone, present


class Command(db_worker.Command):
    """Runs jobs under a name that tells whether this process lives; ``--worker-id`` is not needed."""

    def handle(self, *, queue_name: str, **options: Any) -> None:
        """Takes up lost jobs, then works until it is stopped."""
        options.pop("worker_id")
        with ExitStack() as stack:
            names = [stack.enter_context(present(part)) for part in _parts(queue_name)]
            clear_gone()
            take_up_lost_jobs()
            super().handle(queue_name=queue_name, worker_id=names[0], **options)


def _parts(queue_name: str) -> list[Part]:
    queues = queue_name.split(",")
    if "*" in queues:
        return [Part.WORKER, Part.TRAINER]
    return [Part.TRAINER if name == TRAINING else Part.WORKER for name in dict.fromkeys(queues)]
