"""Reconciliation: what a webhook lost is found by asking Label Studio."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from annotation_backend.labeling.client import call
from annotation_backend.labeling.events import mark_deleted, store, unmark
from annotation_backend.labeling.incoming import place_of, read_save
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationDeletion,
    FormerTask,
    LabelingProject,
    LabelingTask,
    Outcome,
    ReceivedBy,
)
from datasets.errors import RejectedInput

logger = logging.getLogger(__name__)

PAGE_SIZE = 200

OVERLAP = timedelta(minutes=2)
"""A change may be written with an earlier time than one that was seen already."""


@dataclass
class PullReport:
    """What a reconciliation found."""

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
    since = None if is_full or project.pulled_until is None else project.pulled_until - OVERLAP
    newest = project.pulled_until
    for task in _tasks(project, since):
        _take_task(project, task, before, report)
        newest = _later(newest, task.get("updated_at"))
    if newest != project.pulled_until:
        LabelingProject.objects.filter(pk=project.pk).update(pulled_until=newest)
    return report


class _Before:
    """What was here before Label Studio was asked: an annotation that is saved meanwhile is not missing there."""

    def __init__(self, project: LabelingProject) -> None:
        self.in_task: dict[int, set[int]] = {}
        self.settled: set[tuple[object, ...]] = set()
        saves = Annotation.objects.filter(project=project).order_by()
        for *save, way, outcome in saves.values_list(*_SAME, "received_by", "confirmation__outcome"):
            self.in_task.setdefault(save[0], set()).add(save[1])
            if way == ReceivedBy.PULL or outcome == Outcome.CONFIRMED:
                self.settled.add(tuple(save))
        marks = AnnotationDeletion.objects.filter(project=project)
        self.marked = set(marks.values_list("label_studio_task", "label_studio_id"))


_SAME = ("label_studio_task", "label_studio_id", "content_sha256", "completed_by", "updated_by")


def _take_task(project: LabelingProject, task: Mapping[str, Any], before: _Before, report: PullReport) -> None:
    """One living task: its saves are taken over, and what is here and not there was deleted.

    Where a task itself was deleted nothing is asked: what was saved in it stays valid.
    """
    number, saves = task["id"], task.get("annotations") or []
    if saves and not _is_ours(project, task):
        report.refused.append(f"Task {number} belongs to no case here; delete it in Label Studio. [task-unknown]")
        return
    for save in saves:
        _take({**save, "task": number, "project": project.label_studio_id}, task, before, report)
    alive = {save["id"] for save in saves}
    marked = {identifier for place, identifier in before.marked if place == number}
    if returned := marked & alive:
        unmark(_saved_in(project, task, returned))
    if gone := before.in_task.get(number, set()) - alive - marked:
        report.deleted += mark_deleted(_saved_in(project, task, gone))


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
    began = _moment(task.get("created_at"))
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


def _tasks(project: LabelingProject, since: datetime | None) -> Iterator[dict[str, Any]]:
    """Tasks with their annotations and results, page by page."""
    query = {"filters": _changed_since(since)} if since else {}
    parameters = {"project": project.label_studio_id, "page_size": PAGE_SIZE, "fields": "all"}
    if query:
        parameters["query"] = json.dumps(query)
    page = 1
    while True:
        answer = call("GET", "/api/tasks/", params={**parameters, "page": page})
        yield from answer["tasks"]
        if page * PAGE_SIZE >= answer["total"]:
            return
        page += 1


def _changed_since(moment: datetime) -> dict[str, Any]:
    value = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    condition = {"filter": "filter:tasks:updated_at", "operator": "greater", "type": "Datetime", "value": value}
    return {"conjunction": "and", "items": [condition]}


def _later(newest: datetime | None, value: object) -> datetime | None:
    moment = _moment(value)
    return newest if moment is None or (newest is not None and newest >= moment) else moment


def _moment(value: object) -> datetime | None:
    return parse_datetime(value) if isinstance(value, str) else None
