"""Jobs: a training that somebody asked for in Label Studio; a queue of its own, so that saves never wait for it."""

import logging

from django_tasks import task

from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.learning.services import METHOD, take_snapshot, train
from datasets.errors import RejectedInput

logger = logging.getLogger(__name__)

QUEUE = "training"

STEPS = 60
"""As `train_model` without options: minutes on two processor cores."""


@task(queue_name=QUEUE)
def train_on_approved() -> str | None:
    """Trains the 2.5D U-Net on the masks that are approved now and registers it; nothing is promoted.

    Returns:
        The model; None where nothing is approved, or a case left while it was learned from. What was learned from the
        same masks before is not learned again.
    """
    from training.fitting.unet25d import FitSettings

    try:
        snapshot = take_snapshot()
        known = Run.objects.filter(snapshot=snapshot, method=METHOD, status=RunStatus.DONE, model__isnull=False).last()
        run = known or train(snapshot, FitSettings(steps=STEPS))
    except RejectedInput as error:
        logger.warning("no model was trained: %s", error)
        return None
    return str(run.model)
