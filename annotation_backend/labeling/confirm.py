"""Label Studio is asked about what came by webhook, because anybody who can read the webhook's header can send one."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from annotation_backend.cases.models import Case
from annotation_backend.labeling.client import call
from annotation_backend.labeling.events import mark_deleted, settled, store, unmark
from annotation_backend.labeling.incoming import Save, read_save
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
from datasets.errors import RejectedInput

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=10)
"""A webhook is sent while Label Studio is still answering the annotator; a denial this soon is not final."""

MOST_AT_ONCE = 200
"""Annotations asked about in one job, at some 20 ms each; the next one asks about the rest."""


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
    living: dict[int, bool] = {}
    for project, identifier in asked:
        _ask(projects[project], identifier, living)
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


def _ask(project: LabelingProject, identifier: int, living: dict[int, bool]) -> None:
    rows = list(
        Annotation.objects.filter(project=project, label_studio_id=identifier, received_by=ReceivedBy.WEBHOOK)
        .filter(confirmation__isnull=True)
        .defer("raw")
    )
    truth = None if project.is_retired else _truth(project, identifier)
    if truth is None:
        _settle_missing(project, identifier, rows, living)
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


def _settle_missing(
    project: LabelingProject, identifier: int, rows: Sequence[Annotation], living: dict[int, bool]
) -> None:
    """Label Studio has no such annotation: it was deleted, or its task was, or it never was there.

    What was saved in a deleted task stays valid here, if it was confirmed before.
    """
    marks = AnnotationDeletion.objects.filter(project=project, label_studio_id=identifier)
    was_told = marks.exists()
    marks.update(is_confirmed=True)
    for row in rows:
        if was_told:
            note(row, Outcome.SUPERSEDED)
        elif _is_final(row):
            note(row, Outcome.UNKNOWN)
            number = row.label_studio_task
            living[number] = living[number] if number in living else _has_task(project, number)
            if living[number]:
                mark_deleted([identifier], project=project, is_confirmed=True)


def _has_task(project: LabelingProject, number: int) -> bool:
    if project.is_retired:
        return False
    try:
        call("GET", f"/api/tasks/{number}/", params={"fields": "task_only"})
    except RejectedInput as error:
        if error.code != "label-studio-missing":
            raise
        return False
    return True


def _is_final(row: Annotation) -> bool:
    return timezone.now() - row.received_at >= PATIENCE
