"""Receivers of signals: a registration whose job is given up has failed."""

from collections.abc import Mapping
from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.jobs import give_up_redo, register_again
from annotation_backend.supervision.lost_jobs import job_given_up


@receiver(job_given_up)
def end_the_registration(*, task_path: str, kwargs: Mapping[str, Any], **_signal: Any) -> None:
    """A registration that nobody runs any more may be asked for again."""
    if task_path == register_again.module_path:
        give_up_redo(int(kwargs["redo_id"]))
