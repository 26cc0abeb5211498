"""Jobs: trainings queued from Label Studio, in a queue of their own, so that saves never wait for them."""

import logging
from collections.abc import Callable

from django_tasks import task

from annotation_backend.learning.learned_images import kinds_to_learn, label_to_learn
from annotation_backend.learning.models import Run, RunStatus
from annotation_backend.learning.running.prepared import prepared_cases
from annotation_backend.learning.snapshot_training import take_snapshot, train_on_snapshot
from annotation_backend.learning.training_arguments import DEFAULT_METHOD
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput
from training.fitting.choice import TrainingChoice
from training.fitting.running.running import Running
from training.table.table import method_called

logger = logging.getLogger(__name__)

QUEUE = "training"


@task(queue_name=QUEUE)
def train_on_approved(*, study: str = "") -> str | None:
    """Trains the 2.5D U-Net on the masks of a study that are approved now and registers it; nothing is promoted.

    Args:
        study: The study's name; empty in jobs of the time when there was only one.

    Returns:
        The model; None if nothing is approved, or if an approval ended during the training. The same approved masks
        are not trained on twice.
    """
    try:
        found = Study.objects.get(name=study) if study else Study.objects.get(is_first=True)
        snapshot, method = take_snapshot(found), method_called(DEFAULT_METHOD)
        done = Run.objects.filter(snapshot=snapshot, method=method.name, status=RunStatus.DONE, model__isnull=False)
        choice = TrainingChoice(method, kinds_to_learn(found.protocol), label=label_to_learn(found.protocol))
        run = done.last() or train_on_snapshot(
            snapshot, choice, progress_of=_silent, running=Running(prepared=prepared_cases())
        )
    except RejectedInput as error:
        logger.warning("no model was trained: %s", error)
        return None
    return str(run.model)


def _silent(_what: str) -> Callable[..., None]:
    """A progress display that nobody sees."""
    return lambda *_told: None
