"""Recurring upkeep: reconciliation, and jobs that a fault or a restart left undone."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import close_old_connections
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from annotation_backend.cases.models import Case
from annotation_backend.job_queue import queue_once
from annotation_backend.labeling.jobs import assemble_case, follow_exclusion, mirror_case_states, predict_case
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationFinding,
    DeletionAsked,
    FindingKind,
    LabelingProject,
)
from annotation_backend.labeling.project.deleted_project import bring_back, is_gone, require_organisation, retire
from annotation_backend.labeling.project.people import ensure_people
from annotation_backend.labeling.project.task_states import stale_tasks
from annotation_backend.labeling.saves.reconcile import PullReport, pull
from annotation_backend.labeling.signals import time_passed
from annotation_backend.labeling.studio.client import is_up
from annotation_backend.labeling.versions.standing import standings
from annotation_backend.labeling.watch.services import settle
from annotation_backend.labeling.watch.tokens import ensure_tokens
from annotation_backend.stages.leases import keep_order
from annotation_backend.supervision.lost_jobs import WORKER_GONE, take_up_lost_jobs
from annotation_backend.web.machine_faults import refusal_of
from datasets.errors import MaskloopError

logger = logging.getLogger(__name__)

ROUNDS_OF_CHANGES = 120
"""Rounds between two full comparisons; each asks only for what Label Studio changed since the last."""

LOOK_SECONDS = 10.0
"""Seconds between two looks for jobs that died or failed; after a round that was broken off, the
next one follows this soon."""

MOST_ATTEMPTS = 12
"""A job that failed this often for a case waits for a person, or for the next change to the case."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=15)
"""Pauses before a failed job is queued again: twice as long after each failure, up to the second."""


_REPEATED = (assemble_case, predict_case, mirror_case_states, follow_exclusion)


def take_up(project: LabelingProject, *, is_full: bool = True) -> PullReport:
    """Pulls, then queues the jobs that a stopped worker or a silent Label Studio left undone.

    Args:
        project: A project of ours; one that Label Studio has deleted is retired.
        is_full: Compares everything, rather than what Label Studio changed since the last time.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: Label Studio refuses our token.
    """
    try:
        report = pull(project, is_full=is_full)
    except MaskloopError as error:
        require_organisation(project)  # or Label Studio fails, or has nothing: neither says why
        if error.code != "label-studio-missing" or not is_gone(project):
            raise
        report = PullReport(refused=[str(retire(project))])
    take_up_lost_jobs()
    for code in sorted(unfinished_cases() | (cases_behind() if is_full else set())):
        queue_once(assemble_case, case_code=code)
    repeat_failed_jobs()
    return report


def look_around() -> list[str]:
    """Before a full comparison: finds new people in Label Studio, and projects that are there after all.

    Returns:
        Lines to tell; also the reason why neither could be asked, which keeps no saves from being taken over.
    """
    try:
        require_organisation(LabelingProject.objects.filter(is_retired=False).order_by("pk").last())
        return [str(finding) for finding in (*bring_back(), *ensure_people())]
    except MaskloopError as error:
        return [str(error)]


def keep_up(every: float, *, tell: Callable[[str], None], is_over: Callable[[], bool] = lambda: False) -> None:
    """Reconciles all projects again and again; a failure of one round is told, and the next goes on.

    Args:
        every: Seconds between two rounds.
        tell: Called with each finding.
        is_over: Asked after each round.
    """
    done = 0
    while True:
        close_old_connections()
        pause = every
        try:
            one_round(is_full=done % (ROUNDS_OF_CHANGES + 1) == 0, tell=tell)
            done += 1
        except Exception as error:  # also a fault of ours: one round must not end all that follow
            _tell(tell, f"This round was broken off, the next follows: {_words_of(error)}")
            pause = min(every, LOOK_SECONDS)
        if is_over():
            return
        _rest(pause, tell=tell)


def _rest(seconds: float, *, tell: Callable[[str], None]) -> None:
    """Waits for the next round; jobs that a worker left undone are taken up meanwhile."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            take_up_lost_jobs()
            repeat_failed_jobs()
            keep_order()
            time_passed.send(sender=LabelingProject)
        except Exception as error:  # as above
            _tell(tell, _words_of(error))
        close_old_connections()
        time.sleep(min(LOOK_SECONDS, left))


def _words_of(error: Exception) -> str:
    """The line about an error; a fault of ours is logged whole."""
    if isinstance(error, MaskloopError):
        return str(error)
    if refusal := refusal_of(error):
        return str(refusal)
    logger.error("a round of the reconciler broke", exc_info=error)
    return f"A fault of ours ({type(error).__name__}). Report it, with data/logs/reconciler.log. [fault]"


def _tell(tell: Callable[[str], None], line: str) -> None:
    with suppress(OSError):  # a full disk under the log ends nothing
        tell(line)


def one_round(*, is_full: bool, tell: Callable[[str], None]) -> None:
    """Reconciles all projects once; one that fails keeps no other from being taken over.

    Args:
        is_full: Compares everything, and looks for new people and for projects that are there after all.
        tell: Called with each finding.

    Raises:
        MaskloopError: Of the first project that failed; the other failures are told.
    """
    for line in ensure_tokens():
        tell(line)
    if is_full:
        for line in look_around():
            tell(line)
    broken: list[MaskloopError] = []
    for project in LabelingProject.objects.filter(is_retired=False):
        try:
            _take_over(project, is_full=is_full, tell=tell)
        except MaskloopError as error:  # of this project; the others are taken over
            broken.append(error)
    for other in broken[1:]:
        tell(str(other))
    if broken:
        raise broken[0]


def _take_over(project: LabelingProject, *, is_full: bool, tell: Callable[[str], None]) -> None:
    report = take_up(project, is_full=is_full)
    for line in report.refused:
        tell(line)
    if report.stored or report.deleted:
        tell(f"{report.stored} saves and {report.deleted} deletions had been missed.")
    for line in look_over(project, is_full=is_full):
        tell(line)


def look_over(project: LabelingProject, *, is_full: bool = True) -> list[str]:
    """Mends differences between Label Studio and what we left there; a line for each, none if the project is gone."""
    project.refresh_from_db()
    return [] if project.is_retired else settle(project, is_full=is_full)


def unfinished_cases() -> set[str]:
    """Codes of cases with a save not decoded or not asked about, or a state that Label Studio does not show yet."""
    saves = Annotation.objects.waiting() | Annotation.objects.all().undecoded()
    codes = set(saves.order_by().values_list("task__case__code", flat=True).distinct())
    for project, identifier in DeletionAsked.objects.values_list("project", "label_studio_id"):
        rows = Annotation.objects.filter(project=project, label_studio_id=identifier)
        codes |= set(rows.values_list("task__case__code", flat=True))
    return codes | set(stale_tasks().order_by().values_list("case__code", flat=True).distinct())


def cases_behind() -> set[str]:
    """Codes of cases that have no mask yet of the saves that count, or doubts without a finding."""
    drawn = Annotation.objects.order_by().values("task__case")
    cases = list(Case.objects.not_excluded().filter(pk__in=drawn).select_related("study"))
    found = standings(cases)
    return {case.code for case in cases if found[case.pk].is_to_be_assembled} | _doubted()


def _doubted() -> set[str]:
    """Cases with unconfirmed saves or unknown annotators, and no finding about them."""
    doubts = Annotation.objects.all().evidence() | Annotation.objects.all().unproved()
    codes = set(doubts.order_by().values_list("task__case__code", flat=True).distinct())
    kinds = [kind for kind in FindingKind if kind.is_of_a_case]
    named = AnnotationFinding.objects.filter(kind__in=kinds)
    return codes - set(named.values_list("annotation__task__case__code", flat=True))


def repeat_failed_jobs() -> None:
    """Queues jobs again that failed for a case and did not succeed since: soon, then ever later, at last never."""
    due = [(job, code) for job in _REPEATED for code in _failed_cases(job)]
    if due and is_up():  # while Label Studio is silent they would fail again, and count as failed for good
        for job, code in due:
            queue_once(job, case_code=code)


def _failed_cases(job: Any) -> list[str]:
    """Cases for which a job failed last, not too often, and not just now."""
    runs = DBTaskResult.objects.filter(task_path=job.module_path).order_by("-enqueued_at")
    attempts: dict[str, list[tuple[str, str, datetime | None]]] = {}
    for *run, words in runs.values_list("status", "exception_class_path", "finished_at", "args_kwargs")[:2000]:
        attempts.setdefault(words["kwargs"]["case_code"], []).append((run[0], run[1], run[2]))
    return [code for code, found in attempts.items() if _is_due(found)]


def _is_due(attempts: Sequence[tuple[str, str, datetime | None]]) -> bool:
    """Whether a job is to be queued again, by its attempts from the newest on: status, exception, end."""
    failed = next((n for n, (status, *_) in enumerate(attempts) if status != "FAILED"), len(attempts))
    if not 0 < failed < MOST_ATTEMPTS:
        return False
    _, exception, ended = attempts[0]
    pause = min(FIRST_PAUSE * 2 ** (failed - 1), LONGEST_PAUSE)
    since = None if ended is None else timezone.now() - ended
    return exception != WORKER_GONE and (since is None or since >= pause or since < timedelta(0))  # a clock set back
