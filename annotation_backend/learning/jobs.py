"""Jobs: trainings that were asked for, in a queue of their own, so that saves never wait for them."""

import logging
from typing import Any

from django.db import transaction
from django_tasks import task

from annotation_backend.accounts.models import User
from annotation_backend.job_queue import queue_once
from annotation_backend.learning.examples.learned_images import kinds_to_learn, label_to_learn
from annotation_backend.learning.examples.snapshots import take_snapshot
from annotation_backend.learning.models import AskedBy, Run, RunStatus, Snapshot, TrainingAsk
from annotation_backend.learning.retraining.asking import ask, begin_ask, wait_again
from annotation_backend.learning.retraining.rules import rules_of
from annotation_backend.learning.running.prepared import prepared_cases
from annotation_backend.learning.running.work_folders import described, forget_withdrawn
from annotation_backend.learning.runs.faults import told
from annotation_backend.learning.runs.recording import end_lost_runs
from annotation_backend.learning.snapshot_training import train_on_snapshot
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput, TryAgain
from datasets.files import canonical_json
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
        the study runs: then the ask waits. The same approved masks are not trained on twice with the same settings.
    """
    found = Study.objects.get(name=study) if study else Study.objects.get(is_first=True)
    end_lost_runs(found)
    forget_withdrawn(found)
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
            TrainingAsk.objects.filter(pk=asked.pk).update(error=told(error))
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
    """The run on what is approved now: one that was done with the same settings, or a new one."""
    rules = rules_of(study)
    snapshot, method = take_snapshot(study), method_called(rules.method)
    choice = TrainingChoice(
        method,
        kinds_to_learn(study.protocol, sees_all_images=method.sees_all_images),
        iterations=rules.iterations,
        label=label_to_learn(study.protocol),
    )
    same = _done(snapshot, described(choice, rules.rule, rules.external))
    if same is not None:
        _note(asked, same)
        return same
    kept = prepared_cases()
    kept.tidy()
    return train_on_snapshot(
        snapshot,
        choice,
        progress_of=lambda _what: lambda *_told: None,
        rule=rules.rule,
        external=rules.external,
        begun=lambda run: _note(asked, run),
        running=Running(prepared=kept),
    )


def _done(snapshot: Snapshot, settings: dict[str, Any]) -> Run | None:
    """The newest run that trained with these settings on a snapshot and gave a model."""
    done = Run.objects.filter(snapshot=snapshot, status=RunStatus.DONE, model__isnull=False).order_by("-pk")
    return next((run for run in done if canonical_json(run.asked) == canonical_json(settings)), None)


def _note(asked: TrainingAsk | None, run: Run) -> None:
    if asked is not None:
        TrainingAsk.objects.filter(pk=asked.pk).update(run=run)
