"""Receivers of signals: a registration whose job is given up has failed; a protocol keeps what cases have of it."""

from collections.abc import Mapping
from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.jobs import give_up_redo, register_again
from annotation_backend.cases.protocol_changes import drawn_otherwise, require_kept
from annotation_backend.studies.models import Study
from annotation_backend.studies.signals import protocol_asked
from annotation_backend.supervision.lost_jobs import job_given_up
from datasets.finding import Finding
from datasets.study.protocol import Protocol


@receiver(job_given_up)
def end_the_registration(*, task_path: str, kwargs: Mapping[str, Any], **_signal: Any) -> None:
    """A registration that nobody runs any more may be asked for again."""
    if task_path == register_again.module_path:
        give_up_redo(int(kwargs["redo_id"]))


@receiver(protocol_asked)
def keep_what_cases_have(*, study: Study, protocol: Protocol, **_signal: Any) -> list[Finding]:
    """Refuses a protocol that would orphan images; says which cases have to be registered anew under it."""
    require_kept(study, protocol)
    return list(drawn_otherwise(study, protocol))
