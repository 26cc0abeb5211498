"""Jobs: trainings queued from Label Studio, in a queue of their own, so that saves never wait for them."""

import logging

from django_tasks import task

from annotation_backend.learning.learned_images import kinds_to_learn, label_to_learn
from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.learning.snapshot_training import METHOD, take_snapshot, train
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput

logger = logging.getLogger(__name__)

QUEUE = "training"

STEPS = 60
"""The default of `train_model`: minutes on two processor cores."""


@task(queue_name=QUEUE)
def train_on_approved(*, study: str = "") -> str | None:
    """Trains the 2.5D U-Net on the masks of a study that are approved now and registers it; nothing is promoted.

    Args:
        study: The study's name; empty in jobs of the time when there was only one.

    Returns:
        The model; None if nothing is approved, or if an approval ended during the training. The same approved masks
        are not trained on twice.
    """
    from training.fitting.unet25d import FitSettings

    try:
        found = Study.objects.get(name=study) if study else Study.objects.get(is_first=True)
        snapshot = take_snapshot(found)
        known = Run.objects.filter(snapshot=snapshot, method=METHOD, status=RunStatus.DONE, model__isnull=False).last()
        run = known or train(
            snapshot,
            FitSettings(steps=STEPS, images=kinds_to_learn(found.protocol), label=label_to_learn(found.protocol)),
        )
    except RejectedInput as error:
        logger.warning("no model was trained: %s", error)
        return None
    return str(run.model)
