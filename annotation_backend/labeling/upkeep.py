"""What runs again and again beside the work: reconciliation, and jobs that a fault or a restart left undone."""

import logging
import time
from collections.abc import Callable

from django.db import OperationalError, close_old_connections
from django.db.models import F, Q
from django_tasks_db.models import DBTaskResult

from annotation_backend.cases.models import Case
from annotation_backend.labeling.assembly import current_saves
from annotation_backend.labeling.client import call
from annotation_backend.labeling.jobs import assemble_case, mirror_case_states, predict_case
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationDeletion,
    CaseMask,
    LabelingProject,
    LabelingTask,
    ReceivedBy,
)
from annotation_backend.labeling.project import ensure_people
from annotation_backend.labeling.queue import queue_assembly, queue_once
from annotation_backend.labeling.reconcile import PullReport, pull
from annotation_backend.labeling.tokens import ensure_tokens
from annotation_backend.labeling.watch.services import settle
from datasets.errors import MaskloopError, RejectedInput

logger = logging.getLogger(__name__)

ROUNDS_OF_CHANGES = 12
"""Between two comparisons of everything, rounds that ask only for what Label Studio changed."""

MOST_ATTEMPTS = 10
"""A job that failed this often for a case waits for a person, or for the next change to the case."""


def take_up(project: LabelingProject, *, is_full: bool = True) -> PullReport:
    """Pulls, then queues what a stopped worker or a silent Label Studio left undone.

    Args:
        project: A project of ours; one that Label Studio has deleted is retired.
        is_full: Compares everything, rather than what Label Studio changed since the last time.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: It refuses our token.
    """
    try:
        report = pull(project, is_full=is_full)
    except RejectedInput as error:
        if error.code != "label-studio-missing" or _is_there(project):
            raise
        report = _retire(project)
    for code in sorted(_unfinished() | (_behind() if is_full else set())):
        queue_assembly(code)
    _repeat_failed_jobs()
    return report


def keep_up(every: float, *, tell: Callable[[str], None], is_over: Callable[[], bool] = lambda: False) -> None:
    """Reconciles all projects again and again; what is wrong in one round is told, and the next goes on.

    Args:
        every: Seconds between two rounds.
        tell: Called with what was found.
        is_over: Asked after each round.
    """
    done = 0
    while True:
        close_old_connections()
        try:
            _one_round(is_full=done % (ROUNDS_OF_CHANGES + 1) == 0, tell=tell)
            done += 1
        except (MaskloopError, OperationalError) as error:
            tell(f"This round was broken off, the next follows: {error}")
        if is_over():
            return
        time.sleep(every)


def _one_round(*, is_full: bool, tell: Callable[[str], None]) -> None:
    for line in ensure_tokens():
        tell(line)
    if is_full:
        ensure_people()
    for project in LabelingProject.objects.filter(is_retired=False):
        report = take_up(project, is_full=is_full)
        for line in [*report.refused, *look_over(project, is_full=is_full)]:
            tell(line)
        if report.stored or report.deleted:
            tell(f"{report.stored} saves and {report.deleted} deletions had been missed.")


def look_over(project: LabelingProject, *, is_full: bool = True) -> list[str]:
    """What Label Studio showed otherwise than we left it, and mended now; nothing of a project that is gone there."""
    project.refresh_from_db()
    return [] if project.is_retired else settle(project, is_full=is_full)


def _is_there(project: LabelingProject) -> bool:
    try:
        call("GET", f"/api/projects/{project.label_studio_id}/")
    except RejectedInput as error:
        return error.code != "label-studio-missing"
    return True


def _retire(project: LabelingProject) -> PullReport:
    LabelingProject.objects.filter(pk=project.pk).update(is_retired=True)
    return PullReport(
        refused=["The project was deleted in Label Studio; `manage.py publish_tasks` makes it anew. [project-gone]"]
    )


def _unfinished() -> set[str]:
    """Cases with a save that is not decoded or not asked about, or a state that Label Studio does not show yet."""
    asked = Q(received_by=ReceivedBy.WEBHOOK, confirmation__isnull=True)
    saves = Annotation.objects.filter(asked | Q(drawn__isnull=True))
    codes = set(saves.order_by().values_list("task__case__code", flat=True).distinct())
    marks = AnnotationDeletion.objects.filter(is_confirmed=False).values_list("project", "label_studio_id")
    for project, identifier in marks:
        rows = Annotation.objects.filter(project=project, label_studio_id=identifier)
        codes |= set(rows.values_list("task__case__code", flat=True))
    stale = LabelingTask.objects.filter(project__is_retired=False, label_studio_id__gt=0).exclude(
        state=F("mirrored_state"), review_comment=F("mirrored_comment")
    )
    return codes | set(stale.order_by().values_list("case__code", flat=True).distinct())


def _behind() -> set[str]:
    """Cases whose newest mask was not made from the saves that count now."""
    drawn = Case.objects.filter(labeling_tasks__annotations__isnull=False).distinct()
    return {case.code for case in drawn if _is_behind(case)}


def _is_behind(case: Case) -> bool:
    mask = CaseMask.objects.filter(case=case).order_by("pk").last()
    held = set(mask.annotations.values_list("pk", flat=True)) if mask else set()
    now = {save.pk for save in current_saves(case, confirmed_only=True).values() if save}
    return bool(now) and now != held


def _repeat_failed_jobs() -> None:
    """Queues what failed for a case and did not succeed since; a few times, then it waits for a person."""
    for job in (assemble_case, predict_case, mirror_case_states):
        runs = DBTaskResult.objects.filter(task_path=job.module_path).order_by("-enqueued_at")
        attempts: dict[str, list[str]] = {}
        for status, words in runs.values_list("status", "args_kwargs")[:2000]:
            attempts.setdefault(words["kwargs"]["case_code"], []).append(status)
        for code, statuses in attempts.items():
            failed = next((n for n, status in enumerate(statuses) if status != "FAILED"), len(statuses))
            if 0 < failed < MOST_ATTEMPTS:
                queue_once(job, case_code=code)
