"""Reconciliation: finds saves and deletions whose webhook was lost, by asking Label Studio."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from annotation_backend.labeling.models import (
    Annotation,
    AnnotationDeletion,
    ConfirmationOutcome,
    FormerTask,
    LabelingProject,
    LabelingTask,
    ReceivedBy,
)
from annotation_backend.labeling.saves.save import place_of, read_save
from annotation_backend.labeling.saves.store import mark_deleted, store, unmark
from annotation_backend.labeling.studio.answers import moment_of, sound_rows_of
from annotation_backend.labeling.studio.task_lists import FAILED, Unreadable, found_among, listed
from datasets.errors import MaskloopError, RejectedInput, TryAgain

logger = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=2)
"""A change may be written with an earlier time than one that was seen already."""


@dataclass
class PullReport:
    """Result of a reconciliation."""

    seen: int = 0
    stored: int = 0
    deleted: int = 0
    refused: list[str] = field(default_factory=list)


def pull(project: LabelingProject, *, is_full: bool = True) -> PullReport:
    """Compares Label Studio's annotations with ours and takes over what is missing here.

    Args:
        project: A project of ours.
        is_full: Compares all of it, rather than the tasks that Label Studio changed since the last time.

    Raises:
        TryAgain: Label Studio does not answer; nothing is lost, the next reconciliation takes up the rest.
        RejectedInput: It refuses our token, or has deleted the project (``label-studio-missing``).
    """
    report = PullReport()
    before = _Before(project)
    now = timezone.now()
    since = None if is_full or project.pulled_until is None else min(project.pulled_until, now) - OVERLAP
    newest = None if project.pulled_until is None else min(project.pulled_until, now)
    for task in _tasks(project, since, report.refused):
        if isinstance(task, Unreadable):
            report.refused.append(_unreadable(project, task))
            continue
        try:
            _take_task(project, task, before, report)
        except MaskloopError as error:  # of this task; the others are taken over
            report.refused.append(f"Task {task['id']}: {error}")
            continue
        newest = _later(newest, task.get("updated_at"), now)
    if newest != project.pulled_until:
        LabelingProject.objects.filter(pk=project.pk).update(pulled_until=newest)
    return report


class _Before:
    """Our saves before Label Studio was asked: one that is stored meanwhile must not be taken for deleted there."""

    def __init__(self, project: LabelingProject) -> None:
        self.in_task: dict[int, set[int]] = {}
        self.settled: set[tuple[object, ...]] = set()
        saves = Annotation.objects.filter(project=project).order_by()
        for *save, received_by, outcome in saves.values_list(*_SAME, "received_by", "confirmation__outcome"):
            self.in_task.setdefault(save[0], set()).add(save[1])
            if received_by == ReceivedBy.PULL or outcome == ConfirmationOutcome.CONFIRMED:
                self.settled.add(tuple(save))
        marks = AnnotationDeletion.objects.filter(project=project)
        self.marked = set(marks.values_list("label_studio_task", "label_studio_id"))


_SAME = ("label_studio_task", "label_studio_id", "content_sha256", "completed_by", "updated_by")


def _take_task(project: LabelingProject, task: Mapping[str, Any], before: _Before, report: PullReport) -> None:
    """Takes over the saves of one task, and marks annotations as deleted that are here and not there.

    Saves in a task that was itself deleted stay valid. A row that is no annotation may be one of ours: while there is
    one, nothing of the task is taken for deleted.
    """
    number = task["id"]
    saves, others = sound_rows_of(task.get("annotations") or [], id=int)
    if saves and not _is_ours(project, task):
        report.refused.append(
            f"Task {number} belongs to no case here, and annotations in it are in no mask: have the slice drawn in its "
            "own task, then delete this one in Label Studio. [task-unknown]"
        )
        return
    for save in saves:
        _take({**save, "task": number, "project": project.label_studio_id}, task, before, report)
    alive = {save["id"] for save in saves}
    marked = {identifier for place, identifier in before.marked if place == number}
    if returned := marked & alive:
        unmark(_saved_in(project, task, returned))
    if others:
        report.refused.append(f"Task {number}: {others} row(s) of its annotations are none. [label-studio-answer]")
        return
    if gone := before.in_task.get(number, set()) - alive - marked:
        report.deleted += mark_deleted(_saved_in(project, task, gone))


def _unreadable(project: LabelingProject, task: Unreadable) -> str:
    row = LabelingTask.objects.filter(project=project, label_studio_id=task.label_studio_id).first()
    of = f" ({row.case.code} slice {row.slice_index})" if row else ""
    code = f" --case {row.case.code}" if row else ""
    return (
        f"Label Studio fails when it is asked for task {task.label_studio_id}{of}: a text in it holds half a "
        f"character. Run `manage.py publish_tasks{code}`, and where the task is named again, with "
        "--replace-unreadable. [task-unreadable]"
    )


def _is_ours(project: LabelingProject, task: Mapping[str, Any]) -> bool:
    """Whether a slice of ours has that task, or had it: a project that was given up may be seen again."""
    number, place = {"project": project, "label_studio_id": task["id"]}, place_of(task)
    here, before = LabelingTask.objects.filter(**number), FormerTask.objects.filter(**number)
    if place is None:
        return here.exists()
    here = here.filter(case__code=place[0], slice_index=place[1])
    return here.exists() or before.filter(task__case__code=place[0], task__slice_index=place[1]).exists()


def _saved_in(project: LabelingProject, task: Mapping[str, Any], identifiers: set[int]) -> QuerySet[Annotation]:
    """Confirmed saves of these annotations in this task, and not in one that had its number before."""
    saves = Annotation.objects.filter(project=project, label_studio_id__in=identifiers, label_studio_task=task["id"])
    if place := place_of(task):
        saves = saves.filter(task__case__code=place[0], task__slice_index=place[1])
    began = moment_of(task.get("created_at"))
    return saves.confirmed().filter(saved_at__gte=began) if began is not None else saves.confirmed()


def _take(save: Mapping[str, Any], task: Mapping[str, Any], before: _Before, report: PullReport) -> None:
    report.seen += 1
    try:
        read = read_save(save, task=task)
        if (read.task, read.identifier, read.content_sha256, *read.people) in before.settled:
            return
        report.stored += store(read, received_by=ReceivedBy.PULL)[1]
    except RejectedInput as error:
        report.refused.append(str(error))


def _tasks(project: LabelingProject, since: datetime | None, odd: list[str]) -> Iterator[dict[str, Any] | Unreadable]:
    """Tasks with their annotations and results; where Label Studio fails at one, ours are asked for by number."""
    given: set[int] = set()
    try:
        condition = _changed_since(since) if since else None
        for task in listed(project, fields="all", condition=condition, odd=odd):
            given.add(task["id"])
            yield task
    except TryAgain as error:
        if error.code != FAILED:
            raise
        ours = LabelingTask.objects.filter(project=project, label_studio_id__gt=0)
        numbers = set(ours.values_list("label_studio_id", flat=True)) - given
        yield from found_among(project, list(numbers), fields="all", odd=odd)


def _changed_since(moment: datetime) -> dict[str, Any]:
    value = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"filter": "filter:tasks:updated_at", "operator": "greater", "type": "Datetime", "value": value}


def _later(newest: datetime | None, value: object, now: datetime) -> datetime | None:
    """The later of both, and no time that is to come: after a clock that was wrong nothing would be asked for."""
    moment = moment_of(value)
    if moment is None:
        return newest
    return min(moment, now) if newest is None else max(newest, min(moment, now))
