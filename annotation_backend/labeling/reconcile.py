"""Reconciliation: what a webhook lost is found by asking Label Studio."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation_backend.labeling.client import call
from annotation_backend.labeling.events import mark_deleted, store_save
from annotation_backend.labeling.models import Annotation, AnnotationDeletion, LabelingProject, LabelingTask, ReceivedBy
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
    alive: set[int] = set()
    ours = set(LabelingTask.objects.filter(project=project).values_list("label_studio_id", flat=True))
    for task in _tasks(project):
        if task["id"] not in ours and task.get("annotations"):
            report.refused.append(
                f"Task {task['id']} belongs to no case here; delete it in Label Studio. [task-unknown]"
            )
            continue
        for save in task.get("annotations") or []:
            alive.add(save["id"])
            _take({**save, "task": task["id"]}, report)
    _mark_vanished(project, alive, report)
    return report


def _take(save: Mapping[str, Any], report: PullReport) -> None:
    report.seen += 1
    try:
        _, is_new = store_save(save, received_by=ReceivedBy.PULL)
    except RejectedInput as error:
        report.refused.append(str(error))
    else:
        report.stored += is_new


def _mark_vanished(project: LabelingProject, alive: set[int], report: PullReport) -> None:
    known = set(Annotation.objects.filter(task__project=project).values_list("label_studio_id", flat=True))
    marked = set(AnnotationDeletion.objects.values_list("label_studio_id", flat=True))
    vanished = sorted(known - alive - marked)
    if vanished:
        mark_deleted(vanished)
    report.deleted = len(vanished)


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
