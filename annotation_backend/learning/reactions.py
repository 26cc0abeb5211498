"""Signals of the apps below: Label Studio's training button, cases that are excluded, and the reconciler."""

import time
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from annotation_backend.cases.models import Case
from annotation_backend.cases.signals import case_excluded
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.signals import time_passed, training_asked
from annotation_backend.learning.jobs import ask_for_training, train_on_approved
from annotation_backend.learning.models import AskedBy, Run, RunStatus
from annotation_backend.learning.retraining.asking import due, end_asks, unanswered
from annotation_backend.learning.retraining.rules import rules_of
from annotation_backend.learning.running.prepared import prepared_cases
from annotation_backend.learning.running.work_folders import forget_withdrawn
from annotation_backend.learning.runs.recording import end_lost_runs
from annotation_backend.studies.models import Study
from annotation_backend.supervision.lost_jobs import job_given_up
from datasets.errors import RejectedInput

LOOK_SECONDS = 300.0
"""How often the reconciler looks whether a training is due: that asks for every approval of a study."""

TIDY_SECONDS = 86_400.0
"""How often the reconciler removes prepared cases that nothing uses any more, where no training does."""

_looked: dict[int | str, float] = {}
"""When this process looked at a study, by its key, or at something else, by its name."""


@receiver(training_asked)
def train_soon(*, study: Study, **_signal: Any) -> None:
    """Queues one training of the study, however often the button is pressed.

    Raises:
        RejectedInput: The study's settings turn the button off (``training-button-off``).
    """
    if not rules_of(study).by_button:
        raise RejectedInput(
            "training-button-off",
            "In this study Label Studio's button trains nothing.",
            remedy="A data manager can turn it on, or start a training, on the study's page Models.",
        )
    ask_for_training(study, AskedBy.BUTTON)


@receiver(time_passed)
def train_when_due(**_signal: Any) -> None:
    """Asks for trainings that are due, and queues those that were asked for while another one ran."""
    if _is_time("prepared", TIDY_SECONDS):
        prepared_cases().tidy()
    for study in Study.objects.all():
        if _is_time(study.pk, LOOK_SECONDS):
            forget_withdrawn(study)
            if (why := due(study)) is not None:
                ask_for_training(study, why)
    for study in unanswered():
        end_lost_runs(study)
        if not Run.objects.filter(study=study, status=RunStatus.RUNNING).exists():
            queue_once(train_on_approved, study=study.name)


def _is_time(what: int | str, seconds: float) -> bool:
    """Whether this process did not look for so long, and looks now."""
    now = time.monotonic()
    if now - _looked.get(what, float("-inf")) < seconds:
        return False
    _looked[what] = now
    return True


@receiver(job_given_up)
def end_the_ask(*, task_path: str, kwargs: Mapping[str, Any], **_signal: Any) -> None:
    """A training that killed several workers ends its ask, and the page and the doctor say so; `due` then waits."""
    if task_path == train_on_approved.module_path:
        end_asks(str(kwargs.get("study", "")), "Its worker died of it again and again: is the memory too small?")


@receiver(case_excluded)
def forget_prepared(*, case: Case, **_signal: Any) -> None:
    """Removes what is kept of a patient whose case is excluded; whatever is still learned from is prepared anew.

    A training that runs is ended by the exclusion, and removes then what it kept.
    """
    study, patient = case.study, case.patient.code

    def forget() -> None:
        prepared_cases().forget(patient)
        forget_withdrawn(study)

    transaction.on_commit(forget)
