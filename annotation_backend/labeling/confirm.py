"""Label Studio is asked about what came by webhook, because anybody who can read the webhook's header can send one."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from annotation_backend.cases.models import Case
from annotation_backend.labeling.client import call
from annotation_backend.labeling.events import mark_deleted, settled, store, unmark
from annotation_backend.labeling.incoming import Save, place_of, read_save
from annotation_backend.labeling.models import (
    DENIED,
    Annotation,
    AnnotationDeletion,
    AnnotationFinding,
    Confirmation,
    FindingKind,
    FormerTask,
    LabelingProject,
    LabelingTask,
    Outcome,
    ReceivedBy,
)
from annotation_backend.labeling.task_lists import FAILED
from datasets.errors import RejectedInput, TryAgain

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=10)
"""A webhook is sent while Label Studio is still answering the annotator; a denial this soon is not final."""

MOST_AT_ONCE = 200
"""Annotations asked about in one job, at some 20 ms each; the next one asks about the rest."""

_Tasks = dict[int, Mapping[str, Any] | None]


def confirm_saves(case: Case) -> int:
    """Asks Label Studio about every save and deletion of a case that only a webhook vouches for.

    Returns:
        How many saves are still without an answer: Label Studio denied them too soon to be believed, or there are more
        than are asked about at once.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    saves = waiting_saves(case).order_by("received_at").values_list("project", "label_studio_id")
    deletions = _waiting_deletions(case).values_list("project", "label_studio_id")
    asked = list(dict.fromkeys([*saves, *deletions]))[:MOST_AT_ONCE]
    projects = LabelingProject.objects.in_bulk({project for project, _ in asked})
    tasks: _Tasks = {}
    for project, identifier in asked:
        try:
            _ask(projects[project], identifier, tasks)
        except TryAgain as error:
            if error.code != FAILED:
                raise
            logger.warning("Label Studio fails at annotation %d; the others are asked about", identifier)
    return waiting_saves(case).count()


def waiting_saves(case: Case) -> Any:
    """Saves of a case that came by webhook and that Label Studio was not asked about yet."""
    return Annotation.objects.filter(task__case=case, received_by=ReceivedBy.WEBHOOK, confirmation__isnull=True).defer(
        "raw"
    )


def note(row: Annotation, outcome: Outcome) -> None:
    """Writes down what Label Studio said of a save, and raises a finding where it denies it."""
    with transaction.atomic():
        task = LabelingTask.objects.select_related("case").select_for_update(of=("self",)).get(pk=row.task_id)
        with settled(task):
            Confirmation.objects.update_or_create(annotation=row, defaults={"outcome": outcome})
            if outcome in DENIED:
                AnnotationFinding.objects.get_or_create(annotation=row, before=None, kind=FindingKind.UNCONFIRMED)
                logger.warning("%s: %s", row, outcome.label)


def _waiting_deletions(case: Case) -> Any:
    saves = Annotation.objects.filter(
        task__case=case, project=OuterRef("project"), label_studio_id=OuterRef("label_studio_id")
    )
    return AnnotationDeletion.objects.filter(Exists(saves), is_confirmed=False)


def _ask(project: LabelingProject, identifier: int, tasks: _Tasks) -> None:
    rows = list(
        Annotation.objects.filter(project=project, label_studio_id=identifier, received_by=ReceivedBy.WEBHOOK)
        .filter(confirmation__isnull=True)
        .select_related("task__case")
        .defer("raw")
    )
    truth = None if project.is_retired else _truth(project, identifier)
    if truth is None:
        _settle_missing(project, identifier, rows, tasks)
    else:
        _settle(project, truth, rows)


def _truth(project: LabelingProject, identifier: int) -> Save | None:
    """What Label Studio has; None where it has nothing of that number in the project."""
    try:
        save = read_save(call("GET", f"/api/annotations/{identifier}/"))
    except RejectedInput as error:
        if error.code != "label-studio-missing":
            raise
        return None
    return save if save.project == project.label_studio_id else None


def _settle(project: LabelingProject, truth: Save, rows: Sequence[Annotation]) -> None:
    unmark([truth.identifier], project=project)
    for row in rows:
        outcome = _outcome(row, truth)
        if outcome not in DENIED or _is_final(row):
            note(row, outcome)
    try:
        store(truth, received_by=ReceivedBy.PULL)
    except RejectedInput as error:
        logger.warning("%s", error)


def _outcome(row: Annotation, truth: Save) -> Outcome:
    if not _is_of(row, truth.task):
        return Outcome.OTHERWISE
    if truth.is_the_same_as(row):
        return Outcome.CONFIRMED
    return Outcome.SUPERSEDED if row.saved_at < truth.saved_at else Outcome.OTHERWISE


def _is_of(row: Annotation, label_studio_task: int) -> bool:
    """Whether the row's slice has or had that number in Label Studio."""
    numbers = set(FormerTask.objects.filter(task=row.task_id).values_list("label_studio_id", flat=True))
    return label_studio_task in numbers | {row.task.label_studio_id}


def _settle_missing(project: LabelingProject, identifier: int, rows: Sequence[Annotation], tasks: _Tasks) -> None:
    """Label Studio has no such annotation: it was deleted, or its task was, or it never was there.

    What was saved in a deleted task stays valid here, if it was confirmed before.
    """
    marks = AnnotationDeletion.objects.filter(project=project, label_studio_id=identifier)
    was_told = marks.exists()
    marks.update(is_confirmed=True)
    saves = Annotation.objects.filter(project=project, label_studio_id=identifier).confirmed()
    for row in rows:
        if was_told or saves.filter(saved_at__gt=row.saved_at).exists():
            note(row, Outcome.SUPERSEDED)
        elif _is_final(row):
            note(row, Outcome.UNKNOWN)
            if _has_its_task(project, row, tasks):
                mark_deleted([identifier], project=project, is_confirmed=True)


def _has_its_task(project: LabelingProject, row: Annotation, tasks: _Tasks) -> bool:
    """Whether the task of the save is there now, and not another one that was given its number."""
    number = row.label_studio_task
    if number not in tasks:
        tasks[number] = None if project.is_retired else _task(number)
    task = tasks[number]
    if task is None or place_of(task) not in (None, (row.task.case.code, row.task.slice_index)):
        return False
    began = parse_datetime(str(task.get("created_at")))
    return began is None or began <= row.saved_at


def _task(number: int) -> Mapping[str, Any] | None:
    try:
        return dict(call("GET", f"/api/tasks/{number}/", params={"fields": "task_only"}))
    except RejectedInput as error:
        if error.code != "label-studio-missing":
            raise
        return None


def _is_final(row: Annotation) -> bool:
    return timezone.now() - row.received_at >= PATIENCE
