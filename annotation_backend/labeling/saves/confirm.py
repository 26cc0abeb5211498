"""Confirms saves: fetches each save that came by webhook from Label Studio, because a webhook can be forged."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationQuerySet,
    Confirmation,
    ConfirmationOutcome,
    DeletionAsked,
    LabelingProject,
    LabelingTask,
    ReceivedBy,
)
from annotation_backend.labeling.saves.save import Save, place_of, read_save
from annotation_backend.labeling.saves.store import lock_cases, mark_deleted, settled, sharing, store, unmark
from annotation_backend.labeling.studio.answers import moment_of, record_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.studio.task_lists import FAILED
from datasets.errors import MaskloopError, RejectedInput, TryAgain

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=10)
"""A webhook is sent while Label Studio is still answering the annotator; a denial this soon is not final."""

MOST_AT_ONCE = 200
"""Annotations asked about in one job, at some 20 ms each; the next one asks about the rest."""

NO_ANSWER = "label-studio-answer"

_OF_ONE_ANNOTATION = (FAILED, NO_ANSWER, "save-malformed")
"""Errors that concern one annotation only: Label Studio fails at it, or answers with something else."""


def confirm_saves(case: Case) -> int:
    """Asks Label Studio about every save and deletion of a case that only a webhook vouches for.

    Returns:
        How many saves are still without an answer: Label Studio denied them too soon to be believed, it does not show
        us their project now, or there are more than are asked about at once.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    saves = waiting_saves(case).order_by("received_at").values_list("project", "label_studio_id")
    deletions = _waiting_deletions(case).values_list("project", "label_studio_id")
    asked = list(dict.fromkeys([*saves, *deletions]))[:MOST_AT_ONCE]
    projects = LabelingProject.objects.in_bulk({project for project, _ in asked})
    answers = {key: _Answers(project) for key, project in projects.items()}
    no_answers: list[MaskloopError] = []
    for project, identifier in asked:
        try:
            _ask(answers[project], identifier)
        except (TryAgain, RejectedInput) as error:
            if error.code not in _OF_ONE_ANNOTATION:
                raise
            no_answers += [error] if error.code == NO_ANSWER else []
            logger.warning("annotation %d is not answered (%s); the others are asked about", identifier, error.code)
    if no_answers and len(no_answers) == len(asked):
        raise no_answers[0]  # somebody else answers in its place
    return waiting_saves(case).count()


def waiting_saves(case: Case) -> AnnotationQuerySet:
    """Saves of a case that came by webhook and that Label Studio was not asked about yet."""
    return Annotation.objects.filter(task__case=case).waiting().defer("raw")


def note(row: Annotation, outcome: ConfirmationOutcome) -> None:
    """Stores Label Studio's answer about a save."""
    with transaction.atomic():
        lock_cases(LabelingTask.objects.filter(pk=row.task_id))
        task = LabelingTask.objects.select_related("case").select_for_update(of=("self",)).get(pk=row.task_id)
        with settled(*sharing(task, row.project_id, row.label_studio_id)):
            Confirmation.objects.update_or_create(annotation=row, defaults={"outcome": outcome})


class _Answers:
    """Label Studio's answers about one project's annotations and tasks; each is asked for once."""

    def __init__(self, project: LabelingProject) -> None:
        self.project = project
        self._tasks: dict[int, Mapping[str, Any] | None] = {}

    def annotation(self, identifier: int) -> Save | None:
        """The annotation of that number with its task's place; None where the project shows none, or not its task."""
        if self.project.is_retired or (found := _found(f"/api/annotations/{identifier}/")) is None:
            return None
        save = read_save(found)
        if save.project != self.project.label_studio_id or (task := self.task(save.task)) is None:
            return None
        return replace(save, place=place_of(task))

    def task(self, number: int) -> Mapping[str, Any] | None:
        """The task of that number; None where Label Studio has none, or does not show it."""
        if number not in self._tasks:
            path = f"/api/tasks/{number}/"
            self._tasks[number] = None if self.project.is_retired else _found(path, fields="task_only")
        return self._tasks[number]

    def shows_the_project(self) -> bool:
        """Whether a missing annotation is really gone: an account in another organisation sees nothing of ours."""
        number = self.project.label_studio_id
        return self.project.is_retired or _found(f"/api/projects/{number}/") is not None


def _found(path: str, **params: str) -> Mapping[str, Any] | None:
    try:
        return record_of(call("GET", path, params=params) if params else call("GET", path))
    except RejectedInput as error:
        if error.code != "label-studio-missing":
            raise
        return None


def _waiting_deletions(case: Case) -> QuerySet[DeletionAsked]:
    saves = Annotation.objects.filter(
        task__case=case, project=OuterRef("project"), label_studio_id=OuterRef("label_studio_id")
    )
    return DeletionAsked.objects.filter(Exists(saves))


def _ask(answers: _Answers, identifier: int) -> None:
    saves = Annotation.objects.filter(project=answers.project, label_studio_id=identifier).defer("raw")
    truth = answers.annotation(identifier)
    if truth is not None:
        _settle(truth, saves)
        _leave_other_tasks(answers, saves.exclude(label_studio_task=truth.task))
    elif answers.shows_the_project():
        _leave_other_tasks(answers, saves)
        _settle_missing(saves)
    else:
        return
    DeletionAsked.objects.filter(project=answers.project, label_studio_id=identifier).delete()


def _settle(truth: Save, saves: AnnotationQuerySet) -> None:
    """Stores the save that Label Studio has; waiting ones that it does not have are superseded, or were never there."""
    try:
        store(truth, received_by=ReceivedBy.PULL)
    except RejectedInput as error:
        logger.warning("%s", error)
    unmark(saves.filter(label_studio_task=truth.task))
    for row in saves.waiting():
        outcome = _outcome(row, truth)
        if outcome == ConfirmationOutcome.SUPERSEDED or _is_final(row):
            note(row, outcome)


def _outcome(row: Annotation, truth: Save) -> ConfirmationOutcome:
    """Superseded: an older save than Label Studio's; mismatch: one from before the annotation was made, or newer."""
    began = truth.made_at or row.saved_at
    return ConfirmationOutcome.SUPERSEDED if began <= row.saved_at < truth.saved_at else ConfirmationOutcome.MISMATCH


def _settle_missing(saves: AnnotationQuerySet) -> None:
    """Label Studio has no such annotation: it was deleted, or its task was, or it never was there.

    A save in a deleted task stays valid here, if it was confirmed before.
    """
    confirmed: Sequence[Annotation] = list(saves.confirmed())
    for row in saves.waiting():
        if any(row.saved_at < later.saved_at for later in confirmed):
            note(row, ConfirmationOutcome.SUPERSEDED)
        elif _is_final(row):
            note(row, ConfirmationOutcome.UNKNOWN)


def _leave_other_tasks(answers: _Answers, saves: AnnotationQuerySet) -> None:
    """Marks the annotation as deleted in those tasks that Label Studio still has and that hold it no more."""
    places = set(saves.confirmed().order_by().values_list("task", "label_studio_task"))
    for task, number in places:
        here = saves.filter(task=task, label_studio_task=number)
        if any(_has_its_task(answers, row) for row in here.confirmed().select_related("task__case")[:1]):
            mark_deleted(here)


def _has_its_task(answers: _Answers, row: Annotation) -> bool:
    """Whether the task of the save is there now, and not another one that was given its number."""
    task = answers.task(row.label_studio_task)
    if task is None or place_of(task) not in (None, (row.task.case.code, row.task.slice_index)):
        return False
    began = moment_of(task.get("created_at"))
    return began is None or began <= row.saved_at


def _is_final(row: Annotation) -> bool:
    return timezone.now() - row.received_at >= PATIENCE
