"""What learning does when something happens in the apps below."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django_tasks_db.models import DBTaskResult

from annotation_backend.labeling.signals import training_asked
from annotation_backend.learning.jobs import train_on_approved


@receiver(training_asked)
def train_soon(**_signal: Any) -> None:
    """Queues one training, however often the button is pressed."""
    with transaction.atomic():
        if not DBTaskResult.objects.ready().filter(task_path=train_on_approved.module_path).exists():
            train_on_approved.enqueue()
