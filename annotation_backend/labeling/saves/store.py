"""Stores saves as immutable Annotations; about a deletion Label Studio is asked before it counts."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import (
    ANNOTATION,
    Annotation,
    AnnotationDeletion,
    Confirmation,
    ConfirmationOutcome,
    DeletionAsked,
    FormerTask,
    LabelingProject,
    LabelingTask,
    ReceivedBy,
    TaskState,
    number_of,
)
from annotation_backend.labeling.saves.save import LARGEST_ID, Save, malformed, read_save, whole
from annotation_backend.labeling.signals import (
    annotation_stored,
    project_changed,
    saves_arrived,
    saves_settled,
    training_asked,
)
from annotation_backend.stages.leases import note_work
from annotation_backend.stages.permits import reading_of
from datasets.errors import RejectedInput

logger = logging.getLogger(__name__)


def receive(body: Mapping[str, Any]) -> str:
    """Takes one webhook body.

    Returns:
        One word for the result: ``stored``, ``known``, ``asked``, ``noted``, ``queued`` or ``ignored``.

    Raises:
        RejectedInput: A save without the fields a save has, or of a task that belongs to no case.
    """
    action = body.get("action")
    handler = _HANDLERS.get(action) if isinstance(action, str) else None
    return handler(body) if handler else "ignored"


def store(save: Save, *, received_by: ReceivedBy) -> tuple[Annotation, bool]:
    """Stores one save and queues the assembly of its case's mask; the same save twice is one row.

    One that came by webhook changes nothing but this: Label Studio is asked about it. One that Label Studio itself gave
    us is confirmed by that, also where its webhook was here before.

    Args:
        save: The save, as it was read.
        received_by: The way by which it came: webhook or reconciliation.

    Returns:
        The row, and whether it is new.

    Raises:
        RejectedInput: The task is unknown (``task-unknown``).
    """
    with transaction.atomic():
        task, project = _place_of(save)
        known = Annotation.objects.filter(
            task=task,
            project=project,
            label_studio_task=save.task,
            label_studio_id=save.identifier,
            content_sha256=save.content_sha256,
            completed_by=save.completed_by,
            updated_by=save.updated_by,
        )
        if row := known.defer("raw").first():
            if received_by == ReceivedBy.PULL:
                _vouch(row, task)
            return row, False
        if received_by == ReceivedBy.WEBHOOK:
            annotation = _create(save, task, project, received_by)
            saves_arrived.send(sender=Annotation, case_code=task.case.code)
        else:
            with settled(*sharing(task, project.pk, save.identifier)):
                annotation = _create(save, task, project, received_by)
        note_work(annotation.author, task.case, task.slice_index)
    logger.info("stored %s by %s", annotation, received_by)
    return annotation, True


def _create(save: Save, task: LabelingTask, project: LabelingProject, received_by: ReceivedBy) -> Annotation:
    return Annotation.objects.create(
        task=task,
        project=project,
        label_studio_id=save.identifier,
        label_studio_task=save.task,
        number=_next_number(task),
        author=_author(save),
        reading_id=reading_of(task.case, task.slice_index, save.people),
        completed_by=save.completed_by,
        updated_by=save.updated_by,
        raw=save.raw,
        content_sha256=save.content_sha256,
        was_cancelled=save.was_cancelled,
        saved_at=save.saved_at,
        received_by=received_by,
    )


def _vouch(row: Annotation, task: LabelingTask) -> None:
    """Confirms a save that Label Studio itself gave us, whatever it answered about it before."""
    if not Annotation.objects.filter(pk=row.pk).confirmed().exists() or _is_unchecked_legacy(row):
        with settled(*sharing(task, row.project_id, row.label_studio_id)):
            Confirmation.objects.update_or_create(annotation=row, defaults={"outcome": ConfirmationOutcome.CONFIRMED})


def _is_unchecked_legacy(row: Annotation) -> bool:
    return Confirmation.objects.filter(annotation=row, outcome=ConfirmationOutcome.UNCHECKED_LEGACY).exists()


def mark_deleted(saves: QuerySet[Annotation]) -> int:
    """Marks the annotations of `saves` as deleted, after Label Studio was asked; their rows stay.

    Returns:
        How many were not marked before.
    """
    wanted = set(saves.order_by().values_list(*ANNOTATION))
    with transaction.atomic(), settled(*_locked(saves)):
        known = set(_marks_of(wanted).values_list(*ANNOTATION))
        rows = [AnnotationDeletion(**_named(key)) for key in wanted - known]
        AnnotationDeletion.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def unmark(saves: QuerySet[Annotation]) -> int:
    """Takes the mark off the annotations of `saves`, which Label Studio has after all; returns how many had one."""
    marks = _marks_of(set(saves.order_by().values_list(*ANNOTATION)))
    if not marks.exists():
        return 0
    with transaction.atomic(), settled(*_locked(saves)):
        return marks.delete()[0]


def _named(key: tuple[Any, ...]) -> dict[str, Any]:
    task, project, *numbers = key
    return dict(zip(("task_id", "project_id", *ANNOTATION[2:]), (task, project, *numbers), strict=True))


def _marks_of(annotations: set[tuple[Any, ...]]) -> QuerySet[AnnotationDeletion]:
    found = [
        mark.pk
        for mark in AnnotationDeletion.objects.filter(label_studio_id__in={key[3] for key in annotations})
        if (mark.task_id, mark.project_id, mark.label_studio_task, mark.label_studio_id) in annotations
    ]
    return AnnotationDeletion.objects.filter(pk__in=found)


def _locked(saves: QuerySet[Annotation]) -> list[LabelingTask]:
    """The tasks of saves, locked; in one order, so that two never wait for each other."""
    keys = list(saves.order_by().values_list("task", flat=True).distinct())
    lock_cases(LabelingTask.objects.filter(pk__in=keys))
    rows = LabelingTask.objects.select_related("case").select_for_update(of=("self",)).order_by("pk")
    return list(rows.filter(pk__in=keys))


def sharing(task: LabelingTask, project: int, identifier: int) -> list[LabelingTask]:
    """A locked task, and the others that hold saves of the same annotation, locked: all of them tell its annotators."""
    saves = Annotation.objects.filter(project=project, label_studio_id=identifier).exclude(task=task)
    return [task, *_locked(saves)]


@contextmanager
def settled(*tasks: LabelingTask) -> Iterator[None]:
    """Around a change to the saves of tasks: sets their states if another save counts now, and queues the assembly.

    A save that is late, known or not confirmed changes nothing that a reviewer said; one that counts ends it. Must run
    in a transaction, with the tasks' rows locked.
    """
    before = {task.pk: counting_save(task) for task in tasks}
    yield
    for task in tasks:
        after = counting_save(task)
        if after != before[task.pk]:
            task.state = TaskState.ANNOTATED if after else TaskState.PENDING
            task.review_comment = ""
            task.save(update_fields=["state", "review_comment"])
    for case in {task.case_id: task.case for task in tasks}.values():
        saves_settled.send(sender=Annotation, case=case)
        saves_arrived.send(sender=Annotation, case_code=case.code)


def task_of(identifier: int, *, project: int) -> LabelingTask:
    """The record of a task; both ids are needed, because Label Studio gives ids again after a project is deleted.

    Raises:
        RejectedInput: There is none (``task-unknown``).
    """
    living = LabelingTask.objects.select_related("case__study", "project")
    found = living.filter(label_studio_id=identifier, project__label_studio_id=project, project__is_retired=False)
    task = found.first() if identifier <= LARGEST_ID else None
    if task is None:
        raise unknown_task(identifier, project)
    return task


def _place_of(save: Save) -> tuple[LabelingTask, LabelingProject]:
    """The task, locked, and the project of a save; also where the task was deleted there and published again.

    Label Studio gives a deleted task's number to the next one. So a number may be a living task's and have been others'
    before; case and slice, where they came along, tell which task is meant.
    """
    in_project = {"project__label_studio_id": save.project, "project__is_retired": False}
    rows = LabelingTask.objects.select_related("case", "project").select_for_update(of=("self",))
    lock_cases(LabelingTask.objects.filter(label_studio_id=save.task, **in_project))
    living = rows.filter(label_studio_id=save.task, **in_project).first()
    if living is not None and save.place in (None, (living.case.code, living.slice_index)):
        return living, living.project
    formers = FormerTask.objects.select_related("project").filter(label_studio_id=save.task, **in_project)
    if save.place is not None:
        code, index = save.place
        formers = formers.filter(task__case__code=code, task__slice_index=index)
    former = formers.order_by("pk").last()
    if former is None:
        raise unknown_task(save.task, save.project)
    lock_cases(LabelingTask.objects.filter(pk=former.task_id))
    return rows.get(pk=former.task_id), former.project


def lock_cases(tasks: QuerySet[LabelingTask]) -> None:
    """Keeps registrations and verdicts of the tasks' cases waiting until the transaction ends.

    They lock the case before they look at its saves. Always before the tasks are locked, so that two never wait for
    each other. SQLite has one writer at a time, who need not ask.
    """
    if connection.features.has_select_for_update:
        list(Case.objects.filter(pk__in=tasks.values("case")).order_by("pk").select_for_update().values_list("pk"))


def counting_save(task: LabelingTask) -> int | None:
    """Key of the save that counts for a task.

    The query's text is made once: Django takes 9 to 13 ms to build it and the database 0.5 ms to answer it, and every
    change asks twice. Confirming a save takes 10 to 13 ms so, and 30 to 35 ms without (`docs/results/0008-load.md`).
    """
    sql, parameters = _counting_query(connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(sql, [task.pk if value == _ANY_TASK else value for value in parameters])
        row = cursor.fetchone()
    return int(row[0]) if row else None


_ANY_TASK = -1


@lru_cache
def _counting_query(_vendor: str) -> tuple[str, tuple[Any, ...]]:
    counting = Annotation.objects.filter(task_id=_ANY_TASK, reading=None).counting().order_by("-saved_at", "-pk")
    sql, parameters = counting.values_list("pk", flat=True)[:1].query.sql_with_params()
    return sql, tuple(parameters)


def _next_number(task: LabelingTask) -> int:
    last = Annotation.objects.filter(task=task).order_by("-number").values_list("number", flat=True).first()
    return (last or 0) + 1


def _author(save: Save) -> User | None:
    """The annotator: the person who changed it last, else the one who completed it."""
    number = save.updated_by or save.completed_by
    return User.objects.filter(label_studio_id=number).first() if number else None


def _saved(body: Mapping[str, Any]) -> str:
    save = read_save(body.get("annotation"), project=body.get("project"), task=body.get("task"))
    annotation, is_new = store(save, received_by=ReceivedBy.WEBHOOK)
    if is_new and not annotation.was_cancelled:
        annotation_stored.send(sender=Annotation, annotation=annotation)
    return "stored" if is_new else "known"


def _saved_many(body: Mapping[str, Any]) -> str:
    """A bulk: sound saves are stored, then the first refusal is raised."""
    bodies = body.get("annotation", body.get("annotations"))
    if not isinstance(bodies, list):
        raise malformed("a list of annotations")
    tasks = body.get("task")
    along = tasks if isinstance(tasks, list) and len(tasks) == len(bodies) else [None] * len(bodies)
    refused: list[RejectedInput] = []
    stored = 0
    for one, task in zip(bodies, along, strict=True):
        try:
            save = read_save(one, project=body.get("project"), task=task)
            stored += store(save, received_by=ReceivedBy.WEBHOOK)[1]
        except RejectedInput as error:
            refused.append(error)
    if refused:
        raise refused[0]
    return "stored" if stored else "known"


def _deleted(body: Mapping[str, Any]) -> str:
    rows = body.get("annotations")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise malformed("a list of deleted annotations")
    numbers = [whole(row.get("id")) for row in rows]
    _ask_whether_deleted(_project_of(body), numbers)
    return "asked"


def _ask_whether_deleted(project: LabelingProject, numbers: Iterable[int]) -> None:
    """Has Label Studio asked about annotations that we hold saves of; about others there is nothing to ask."""
    with transaction.atomic():
        saves = Annotation.objects.filter(project=project, label_studio_id__in=set(numbers)).order_by()
        rows = list(saves.values_list("label_studio_id", "task__case__code").distinct())
        asked = [DeletionAsked(project=project, label_studio_id=number) for number in {number for number, _ in rows}]
        DeletionAsked.objects.bulk_create(asked, ignore_conflicts=True)
        for code in sorted({code for _, code in rows}):
            saves_arrived.send(sender=Annotation, case_code=code)


def _noted(body: Mapping[str, Any]) -> str:
    """A deleted task or project takes nothing away here; `publish_tasks` makes it anew."""
    logger.warning("Label Studio says %s; the annotations stay here", body["action"])
    return "noted"


def _changed(body: Mapping[str, Any]) -> str:
    """Somebody, or we, changed the project; the webhook is not believed, Label Studio is asked."""
    number = number_of(body.get("project"))
    known = dict(LabelingProject.objects.filter(is_retired=False).values_list("label_studio_id", "pk"))
    if isinstance(number, bool) or not isinstance(number, int) or number not in known:
        return "ignored"
    project_changed.send(sender=LabelingProject, project=known[number])
    return "queued"


def _asked_to_train(body: Mapping[str, Any]) -> str:
    """Label Studio's button; the body holds the project itself."""
    project = body.get("project")
    known = _project_of({"project": project.get("id") if isinstance(project, Mapping) else project})
    training_asked.send(sender=LabelingProject, study=known.study)
    return "queued"


def _project_of(body: Mapping[str, Any]) -> LabelingProject:
    named = number_of(body.get("project"))
    living = LabelingProject.objects.filter(is_retired=False)
    project = living.filter(label_studio_id=whole(named)).first() if named is not None else None
    if project is None:
        raise RejectedInput(
            "project-unknown",
            "The webhook names no project of ours.",
            remedy="Remove this webhook from the other project in Label Studio.",
        )
    return project


def unknown_task(identifier: int, project: int) -> RejectedInput:
    """The refusal of a task that belongs to no case (``task-unknown``)."""
    return RejectedInput(
        "task-unknown",
        f"Task {identifier} of project {project} belongs to no case here.",
        remedy="Delete the task in Label Studio, or publish its case again with `manage.py publish_tasks`.",
    )


_HANDLERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "ANNOTATION_CREATED": _saved,
    "ANNOTATION_UPDATED": _saved,
    "ANNOTATIONS_CREATED": _saved_many,
    "ANNOTATIONS_DELETED": _deleted,
    "TASKS_DELETED": _noted,
    "PROJECT_DELETED": _noted,
    "PROJECT_UPDATED": _changed,
    "START_TRAINING": _asked_to_train,
}
