"""Signals of the apps below: Label Studio's training button."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.signals import training_asked
from annotation_backend.learning.jobs import train_on_approved
from annotation_backend.studies.models import Study


@receiver(training_asked)
def train_soon(*, study: Study, **_signal: Any) -> None:
    """Queues one training of the study, however often the button is pressed."""
    queue_once(train_on_approved, study=study.name)
