"""Reconciliation: what a webhook lost is found by asking Label Studio."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation_backend.cases.models import Case
from annotation_backend.labeling.client import call
from annotation_backend.labeling.events import mark_deleted, store_save, update_state
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationDeletion,
    LabelingProject,
    LabelingTask,
    ReceivedBy,
    number_of,
)
from datasets.errors import RejectedInput

PAGE_SIZE = 200


@dataclass
class PullReport:
    """What a reconciliation found."""

    seen: int = 0
    stored: int = 0
    deleted: int = 0
    refused: list[str] = field(default_factory=list)


def pull(project: LabelingProject) -> PullReport:
    """Compares Label Studio's annotations with ours and takes over what is missing here.

    Raises:
        TryAgain: Label Studio does not answer; nothing is changed.
        RejectedInput: It refuses our token.
    """
    report = PullReport()
    known_before = _known(project)
    alive: set[int] = set()
    living_tasks: set[int] = set()
    ours = set(LabelingTask.objects.filter(project=project).values_list("label_studio_id", flat=True))
    for task in _tasks(project):
        if task["id"] not in ours and task.get("annotations"):
            report.refused.append(
                f"Task {task['id']} belongs to no case here; delete it in Label Studio. [task-unknown]"
            )
            continue
        living_tasks.add(task["id"])
        for save in task.get("annotations") or []:
            alive.add(save["id"])
            _take({**save, "task": task["id"], "project": project.label_studio_id}, report)
    _mark_vanished(known_before - alive, living_tasks, report)
    _unmark(alive)
    return report


def take_up(project: LabelingProject) -> PullReport:
    """Pulls, then queues what a stopped worker or a silent Label Studio left undone: masks and mirrored states."""
    report = pull(project)
    drawn = Case.objects.filter(labeling_tasks__annotations__isnull=False).distinct()
    for code in drawn.values_list("code", flat=True):
        assemble_case.enqueue(case_code=code)
    return report


def _known(project: LabelingProject) -> set[int]:
    """Annotations that were saved in this project of Label Studio, not in one that was deleted before."""
    ours = Annotation.objects.filter(task__project=project).values_list("label_studio_id", "raw__project")
    return {identifier for identifier, saved_in in ours if number_of(saved_in) == project.label_studio_id}


def _take(save: Mapping[str, Any], report: PullReport) -> None:
    report.seen += 1
    try:
        _, is_new = store_save(save, received_by=ReceivedBy.PULL)
    except RejectedInput as error:
        report.refused.append(str(error))
    else:
        report.stored += is_new


def _mark_vanished(missing: set[int], living_tasks: set[int], report: PullReport) -> None:
    """Marks what was deleted from a living task; where the task itself was deleted, our annotations stay valid.

    `missing` holds annotations that were here before Label Studio was asked: one saved since then is not missing.
    """
    marked = set(AnnotationDeletion.objects.values_list("label_studio_id", flat=True))
    candidates = Annotation.objects.filter(label_studio_id__in=missing - marked)
    rows = candidates.values_list("label_studio_id", "raw__task")
    vanished = {identifier for identifier, task in rows if number_of(task) in living_tasks}
    if vanished:
        mark_deleted(sorted(vanished))
    report.deleted = len(vanished)


def _unmark(alive: set[int]) -> None:
    """Takes the mark off annotations that Label Studio has after all."""
    marks = AnnotationDeletion.objects.filter(label_studio_id__in=alive)
    marked = set(marks.values_list("label_studio_id", flat=True))
    marks.delete()
    for task in LabelingTask.objects.filter(annotations__label_studio_id__in=marked).distinct():
        update_state(task)


def _tasks(project: LabelingProject) -> list[dict[str, Any]]:
    """All tasks that have annotations, with their results."""
    tasks: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = call(
            "GET",
            "/api/tasks/",
            params={"project": project.label_studio_id, "page": page, "page_size": PAGE_SIZE, "fields": "all"},
        )
        tasks += answer["tasks"]
        if page * PAGE_SIZE >= answer["total"]:
            return tasks
        page += 1
