"""What Label Studio says happened: saves become immutable Annotations, deletions become marks."""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.dateparse import parse_datetime

from annotation_backend.accounts.models import User
from annotation_backend.labeling.jobs import assemble_case
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationDeletion,
    LabelingTask,
    ReceivedBy,
    TaskState,
    number_of,
)
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes

logger = logging.getLogger(__name__)

LARGEST_ID = 2**31


def receive(body: Mapping[str, Any]) -> str:
    """Takes one webhook body.

    Returns:
        What became of it: ``stored``, ``known``, ``deleted`` or ``ignored``.

    Raises:
        RejectedInput: A save without the fields a save has, or of a task that belongs to no case.
    """
    action = body.get("action")
    if action in ("ANNOTATION_CREATED", "ANNOTATION_UPDATED"):
        save = _mapping(body.get("annotation"))
        _, is_new = store_save({**save, "project": _project_id(body, save)}, received_by=ReceivedBy.WEBHOOK)
        return "stored" if is_new else "known"
    if action == "ANNOTATIONS_DELETED":
        rows = body.get("annotations")
        mark_deleted([_whole(_mapping(row).get("id")) for row in rows] if isinstance(rows, list) else [])
        return "deleted"
    return "ignored"


def store_save(save: Mapping[str, Any], *, received_by: ReceivedBy) -> tuple[Annotation, bool]:
    """Stores one save and queues the assembly of its case's mask; the same save twice is one row.

    Args:
        save: An annotation as Label Studio sends it.
        received_by: The way it came.

    Returns:
        The row, and whether it is new.

    Raises:
        RejectedInput: Fields are missing (``save-malformed``) or the task is unknown (``task-unknown``).
    """
    identifier = _whole(save.get("id"))
    task = task_of(_whole(number_of(save.get("task"))), project=_whole(number_of(save.get("project"))))
    _require_regions(save.get("result"))
    digest = _content_digest(save)
    known = Annotation.objects.filter(label_studio_id=identifier, content_sha256=digest).first()
    if known is not None:
        return known, False
    try:
        with transaction.atomic():
            annotation = Annotation.objects.create(
                task=task,
                project=task.project,
                label_studio_id=identifier,
                number=Annotation.objects.filter(task=task).count() + 1,
                completed_by=_person(save.get("completed_by")),
                updated_by=_person(save.get("updated_by")),
                author=_author(save),
                raw=dict(save),
                content_sha256=digest,
                was_cancelled=bool(save.get("was_cancelled")),
                saved_at=_saved_at(save),
                received_by=received_by,
            )
            update_state(task)
            assemble_case.enqueue(case_code=task.case.code)
    except IntegrityError:
        return Annotation.objects.get(label_studio_id=identifier, content_sha256=digest), False
    logger.info("stored %s by %s", annotation, received_by)
    return annotation, True


def mark_deleted(identifiers: list[int]) -> None:
    """Marks annotations as deleted in Label Studio; their rows stay."""
    with transaction.atomic():
        for identifier in identifiers:
            for saved_in in set(
                Annotation.objects.filter(label_studio_id=identifier).values_list("project", flat=True)
            ):
                AnnotationDeletion.objects.get_or_create(project_id=saved_in, label_studio_id=identifier)
        tasks = LabelingTask.objects.filter(annotations__label_studio_id__in=identifiers).distinct()
        for task in tasks.select_related("case"):
            update_state(task)
            assemble_case.enqueue(case_code=task.case.code)


def update_state(task: LabelingTask) -> None:
    """Sets the state that a task's saves give it; a new save ends what a reviewer asked for."""
    drawn = Annotation.objects.current(task) is not None
    task.state = TaskState.ANNOTATED if drawn else TaskState.PENDING
    task.review_comment = ""
    task.save(update_fields=["state", "review_comment"])


def _content_digest(save: Mapping[str, Any]) -> str:
    """Digest of what a save says, equal whether it came by webhook or by poll."""
    content = {
        "result": save.get("result"),
        "was_cancelled": bool(save.get("was_cancelled")),
        "saved_at": _saved_at(save).isoformat(),
    }
    try:
        return sha256_of_bytes(canonical_json(content))
    except ValueError as error:
        raise _malformed("finite numbers and whole characters") from error


def _author(save: Mapping[str, Any]) -> User | None:
    """Who drew: the last to change it, else who completed it; Label Studio sends a number or an object."""
    for field in ("updated_by", "completed_by"):
        identifier = number_of(save.get(field))
        if isinstance(identifier, int):
            return User.objects.filter(label_studio_id=identifier).first()
    return None


def _person(value: object) -> int:
    """Label Studio's number of a person; 0 where it says none."""
    number = number_of(value)
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 < number < LARGEST_ID else 0


def _saved_at(save: Mapping[str, Any]) -> Any:
    value = save.get("updated_at")
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _malformed("a time of the save (updated_at)")
    return moment


def task_of(identifier: int, *, project: int) -> LabelingTask:
    """The record of a task; both ids are needed, because Label Studio gives ids again after a project is deleted.

    Raises:
        RejectedInput: There is none (``task-unknown``).
    """
    found = LabelingTask.objects.select_related("case__registration").filter(
        label_studio_id=identifier, project__label_studio_id=project, project__is_retired=False
    )
    task = found.first() if identifier < LARGEST_ID else None
    if task is None:
        raise RejectedInput(
            "task-unknown",
            f"Task {identifier} of project {project} belongs to no case here.",
            remedy="Delete the task in Label Studio, or publish its case again with `manage.py publish_tasks`.",
        )
    return task


def _project_id(body: Mapping[str, Any], save: Mapping[str, Any]) -> object:
    """The project's id, from the save or from the project that comes with it."""
    return save.get("project") or number_of(body.get("project"))


def _require_regions(result: object) -> None:
    if not isinstance(result, list) or not all(isinstance(region, Mapping) for region in result):
        raise _malformed("a list of regions")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _malformed("an annotation")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < LARGEST_ID:
        raise _malformed("a positive whole number as id")
    return value


def _malformed(expected: str) -> RejectedInput:
    return RejectedInput(
        "save-malformed", f"Expected {expected} in the save.", remedy="Is it Label Studio 1.23 that sends this?"
    )
