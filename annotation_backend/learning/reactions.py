"""Signals of the apps below: Label Studio's training button, and cases that are excluded."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from annotation_backend.cases.models import Case
from annotation_backend.cases.signals import case_excluded
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.signals import training_asked
from annotation_backend.learning.jobs import train_on_approved
from annotation_backend.learning.running.prepared import prepared_cases
from annotation_backend.studies.models import Study


@receiver(training_asked)
def train_soon(*, study: Study, **_signal: Any) -> None:
    """Queues one training of the study, however often the button is pressed."""
    queue_once(train_on_approved, study=study.name)


@receiver(case_excluded)
def forget_prepared(*, case: Case, **_signal: Any) -> None:
    """Removes what is kept of a patient whose case is excluded; whatever is still learned from is prepared anew."""
    patient = case.patient.code
    transaction.on_commit(lambda: prepared_cases().forget(patient))
