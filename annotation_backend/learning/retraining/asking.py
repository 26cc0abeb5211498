"""Asks for trainings: one waits in a study at a time, a second one is counted with it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.learning.models import AskedBy, Run, RunStatus, TrainingAsk
from annotation_backend.learning.retraining.rules import RetrainingRules, rules_of
from annotation_backend.review.approvals import approved_reviews
from annotation_backend.studies.models import Study
from datasets.study.splits.split_case import UNKNOWN, SplitCase

MOST_DAYS_OF_WAITING = 16
"""After trainings that failed one after the other, the next one by itself begins after so many days at most."""


def ask(study: Study, why: AskedBy, *, person: User | None = None) -> tuple[TrainingAsk, bool]:
    """Asks for a training of a study.

    Args:
        study: The study.
        why: What asks.
        person: Who asks, if that is known.

    Returns:
        The ask that waits, and whether it is a new one: where one waits already, this one is counted with it.
    """
    with transaction.atomic():
        row, is_new = TrainingAsk.objects.get_or_create(
            study=study, begun=None, defaults={"why": why, "person": person}
        )
        if not is_new:
            TrainingAsk.objects.filter(pk=row.pk).update(count=F("count") + 1)
    return row, is_new


def begin_ask(study: Study) -> TrainingAsk | None:
    """The ask that a training answers which begins now; one that was begun, and whose training was lost, goes on.

    None where nobody asks: a job of an earlier version, which had no asks.
    """
    with transaction.atomic():
        waiting = TrainingAsk.objects.select_for_update().filter(study=study, begun__isnull=True).first()
        if waiting is not None:
            waiting.begun = timezone.now()
            waiting.save(update_fields=["begun"])
            return waiting
    begun = TrainingAsk.objects.filter(study=study, error="").select_related("run").last()
    is_lost = begun is not None and (begun.run is None or begun.run.status == RunStatus.STOPPED)
    return begun if is_lost else None


def wait_again(row: TrainingAsk) -> None:
    """Lets an ask wait again whose training could not begin now; it joins another one that waits meanwhile."""
    with transaction.atomic():
        other = TrainingAsk.objects.select_for_update().filter(study=row.study_id, begun__isnull=True).first()
        if other is None:
            TrainingAsk.objects.filter(pk=row.pk).update(begun=None, run=None)
        else:
            TrainingAsk.objects.filter(pk=other.pk).update(count=F("count") + row.count)
            row.delete()


def due(study: Study) -> AskedBy | None:
    """What asks for a training of a study now, by its settings; None where nothing does.

    The same masks are not trained on twice: both ask only where approved masks are there that the last run, done or
    going on, had not. After a training that failed, both wait a day, after each further one twice as long.
    """
    rules = rules_of(study)
    if (rules.after_cases is None and rules.every_days is None) or _waits_after_failures(study):
        return None
    counting = Run.objects.filter(study=study, status__in=(RunStatus.RUNNING, RunStatus.DONE))
    last = counting.select_related("snapshot").order_by("pk").last()
    if last is None or (rules.every_days is not None and _is_old(last, rules.every_days)):
        clock = rules.every_days is not None
    else:
        clock = False
    if not clock and rules.after_cases is None:
        return None
    masks = [review.mask for review in approved_reviews(study=study)]
    approved = [
        {"case": mask.case.code, "patient": mask.case.patient.code, "mask_sha256": mask.sha256} for mask in masks
    ]
    now = _learned(approved, rules)
    content = last.snapshot.content["cases"] if last is not None else []
    before = _learned(content, rules)
    new_cases = {code for code, _ in now} - {code for code, _ in before}
    if rules.after_cases is not None and len(new_cases) >= rules.after_cases:
        return AskedBy.CASES
    return AskedBy.CLOCK if clock and now and now != before else None


def end_asks(study: str, error: str) -> None:
    """Ends asks of a study that were begun and to which no run came to its end.

    Args:
        study: Its name.
        error: Why, in words.
    """
    begun = TrainingAsk.objects.filter(study__name=study, begun__isnull=False, error="")
    begun.exclude(run__status__in=(RunStatus.DONE, RunStatus.FAILED)).update(error=error)


def unanswered() -> Iterator[Study]:
    """The studies in which an ask waits."""
    yield from Study.objects.filter(training_asks__begun__isnull=True, training_asks__isnull=False).distinct()


def failed_ask(study: Study) -> TrainingAsk | None:
    """The newest ask of a study, if its training failed; None where it did not, or a later run was done."""
    newest = TrainingAsk.objects.filter(study=study, begun__isnull=False).select_related("run").last()
    if newest is None or not newest.error:
        return None
    since = Run.objects.filter(study=study, status=RunStatus.DONE, ended__gt=newest.begun)
    return None if since.exists() else newest


def needless_ask(study: Study) -> TrainingAsk | None:
    """The newest ask of a study, if nothing was trained for it: a run of before had the same masks and settings."""
    newest = TrainingAsk.objects.filter(study=study, begun__isnull=False).select_related("run").last()
    if newest is None or newest.run is None or newest.run.ended is None or newest.begun is None:
        return None
    return newest if newest.run.status == RunStatus.DONE and newest.run.ended < newest.begun else None


def _waits_after_failures(study: Study) -> bool:
    """Whether trainings that were asked for failed so lately, since the last one that was done, that none begins."""
    done = Run.objects.filter(study=study, status=RunStatus.DONE).order_by("pk").last()
    failed = TrainingAsk.objects.filter(study=study, begun__isnull=False).exclude(error="").order_by("begun")
    if done is not None and done.ended is not None:
        failed = failed.filter(begun__gt=done.ended)
    times = list(failed.values_list("begun", flat=True))
    if not times or times[-1] is None:
        return False
    return timezone.now() - times[-1] < timedelta(days=min(2 ** (len(times) - 1), MOST_DAYS_OF_WAITING))


def _learned(entries: Iterable[Mapping[str, Any]], rules: RetrainingRules) -> set[tuple[str, str]]:
    """Cases with their masks' digests, without those of the external cohort, of which nothing is learned."""
    external = rules.external
    return {
        (str(entry["case"]), str(entry["mask_sha256"]))
        for entry in entries
        if external is None or not external.holds(SplitCase(str(entry["case"]), str(entry["patient"]), UNKNOWN))
    }


def _is_old(run: Run, days: int) -> bool:
    return timezone.now() - run.started >= timedelta(days=days)
