"""What labelling does when something happens in the apps below."""

from typing import Any

from django.dispatch import receiver

from annotation_backend.cases.models import Case
from annotation_backend.labeling.jobs import predict_case
from annotation_backend.labeling.models import TaskState
from annotation_backend.registry.signals import automatic_model_promoted


@receiver(automatic_model_promoted)
def draw_waiting_tasks_anew(**_signal: Any) -> None:
    """Queues fresh predictions for every case with tasks that nobody submitted."""
    waiting = Case.objects.filter(
        labeling_tasks__state=TaskState.PENDING, labeling_tasks__project__is_retired=False
    ).distinct()
    for code in waiting.values_list("code", flat=True):
        predict_case.enqueue(case_code=code)
