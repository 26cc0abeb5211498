"""Jobs: trainings that were asked for, in a queue of their own, so that saves never wait for them."""

import logging

from django.db import transaction
from django_tasks import task

from annotation_backend.accounts.models import User
from annotation_backend.job_queue import queue_once
from annotation_backend.learning.examples.learned_images import kinds_to_learn, label_to_learn
from annotation_backend.learning.examples.of_snapshot import examples_of_snapshot
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.models import AskedBy, Run, RunStatus, TrainingAsk
from annotation_backend.learning.retraining.asking import ask, begin_ask, wait_again
from annotation_backend.learning.retraining.kept_folds import keep_folds
from annotation_backend.learning.retraining.rules import rules_of
from annotation_backend.learning.running.prepared import prepared_cases
from annotation_backend.learning.runs.recording import end_lost_runs
from annotation_backend.learning.snapshot_training import train_on_snapshot, work_folder
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput, TryAgain
from training.fitting.choice import TrainingChoice
from training.fitting.running.running import Running
from training.table.table import method_called

logger = logging.getLogger(__name__)

QUEUE = "training"


@task(queue_name=QUEUE)
def train_on_approved(*, study: str = "") -> str | None:
    """Trains on the masks of a study that are approved now, as its settings say, and registers; nothing is promoted.

    Args:
        study: The study's name; empty in jobs of the time when there was only one.

    Returns:
        The model; None if nothing is approved, if an approval ended during the training, or while another training of
        the study runs: then the ask waits. The same approved masks are not trained on twice.
    """
    found = Study.objects.get(name=study) if study else Study.objects.get(is_first=True)
    end_lost_runs(found)
    asked = begin_ask(found)
    try:
        run = _trained(found, asked)
    except TryAgain as error:
        logger.info("a training waits: %s", error)
        if asked is not None:
            wait_again(asked)
        return None
    except Exception as error:
        if asked is not None:
            TrainingAsk.objects.filter(pk=asked.pk).update(error=_told(error))
        if not isinstance(error, RejectedInput):
            raise
        logger.warning("no model was trained: %s", error)
        return None
    return str(run.model)


def ask_for_training(study: Study, why: AskedBy, *, person: User | None = None) -> bool:
    """Asks for a training of a study, and queues it; while one waits, a second ask is counted with it.

    Args:
        study: The study.
        why: What asks.
        person: Who asks, if that is known.

    Returns:
        Whether nothing waited before.
    """
    with transaction.atomic():
        _, is_new = ask(study, why, person=person)
        queue_once(train_on_approved, study=study.name)
    return is_new


def _trained(study: Study, asked: TrainingAsk | None) -> Run:
    """The run on what is approved now: the one that there is already, or a new one."""
    rules = rules_of(study)
    snapshot, method = take_snapshot(study), method_called(rules.method)
    choice = TrainingChoice(
        method, kinds_to_learn(study.protocol), iterations=rules.iterations, label=label_to_learn(study.protocol)
    )
    done = Run.objects.filter(snapshot=snapshot, method=method.name, status=RunStatus.DONE, model__isnull=False)
    if rules.rule is not None:
        done = done.exclude(folds=[])
    if (same := done.last()) is not None:
        _note(asked, same)
        return same
    if rules.rule is not None:
        patients = examples_of_snapshot(snapshot, choice.channels, choice.label).patients
        work = work_folder(snapshot, choice, rules.rule, None)
        keep_folds(work, rules.rule, patients, study=study, method=method.name)
    return train_on_snapshot(
        snapshot,
        choice,
        progress_of=lambda _what: lambda *_told: None,
        rule=rules.rule,
        begun=lambda run: _note(asked, run),
        running=Running(prepared=prepared_cases()),
    )


def _note(asked: TrainingAsk | None, run: Run) -> None:
    if asked is not None:
        TrainingAsk.objects.filter(pk=asked.pk).update(run=run)


def _told(error: Exception) -> str:
    """What a person is told of an error: of one that is not ours its kind alone, which names nobody."""
    return str(error) if isinstance(error, RejectedInput) else f"{type(error).__name__}; see data/logs/trainer.log."
