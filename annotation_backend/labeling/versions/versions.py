"""Versions of a slice: finding one, comparing two, and restoring one to Label Studio."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Q
from numpy.typing import NDArray

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.register import require_in_use
from annotation_backend.labeling.models import (
    Annotation,
    AnnotationFinding,
    AnnotationQuerySet,
    LabelingTask,
    NamedDrawer,
    ReceivedBy,
    Restoration,
)
from annotation_backend.labeling.saves.save import read_save
from annotation_backend.labeling.saves.store import store
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.versions.decoded_masks import masks_in, stored_masks
from annotation_backend.labeling.versions.losses import LOSSES, mark_seen
from annotation_backend.stages.hiding import draws_alone, hidden_readings
from annotation_backend.studies.models import Study
from datasets.errors import MaskloopError, RejectedInput, TryAgain

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelDifference:
    """Difference of one label between two versions.

    Args:
        label: Its name.
        area_one: Pixels in the first version.
        area_other: Pixels in the second.
        dice: 0..1; 1 where both are empty.
        added: Pixels of the second that the first has not.
        removed: Pixels of the first that the second has not.
    """

    label: str
    area_one: int
    area_other: int
    dice: float
    added: int
    removed: int


def task_of_slice(case_code: str, slice_index: int, *, study: Study | None = None) -> LabelingTask:
    """The task of a case's slice.

    Args:
        case_code: The case's code.
        slice_index: The slice.
        study: The study whose case it must be; None for any.

    Raises:
        RejectedInput: The slice has no task (``slice-unpublished``).
    """
    tasks = LabelingTask.objects.select_related("case", "project").filter(case__code=case_code)
    among = tasks if study is None else tasks.filter(case__study=study)
    task = among.filter(slice_index=slice_index).first()
    if task is None:
        raise RejectedInput(
            "slice-unpublished", f"{case_code} has no task of slice {slice_index}.", remedy="See the case's page."
        )
    return task


def shown_versions(task: LabelingTask, person: User) -> AnnotationQuerySet:
    """The versions of a slice that a person may see: none of a reader who is not to be heard yet, and their own alone
    while they draw the case without seeing others' work."""
    return saves_shown(task.case, person).filter(task=task)


def saves_shown(case: Case, person: User) -> AnnotationQuerySet:
    """The same of all slices of a case: that there is a save would tell where others draw."""
    saves = Annotation.objects.filter(task__case=case)
    if draws_alone(person, case):
        return saves.filter(author=person)
    hidden = hidden_readings(person, case)
    return saves.filter(Q(reading__isnull=True) | ~Q(reading__in=hidden))


def version_of(task: LabelingTask, number: int, *, person: User | None = None) -> Annotation:
    """Finds one version of a slice.

    Args:
        task: The slice's task.
        number: Of the version.
        person: Who asks, and may see it; None for a command.

    Raises:
        RejectedInput: There is no such version (``version-unknown``).
    """
    saves = Annotation.objects.filter(task=task) if person is None else shown_versions(task, person)
    version = saves.select_related("task__case", "author").filter(number=number).first()
    if version is None:
        raise RejectedInput(
            "version-unknown", f"{task} has no version {number}.", remedy="The page of its versions lists them."
        )
    return version


def differences(one: Annotation, other: Annotation) -> list[LabelDifference]:
    """Differences of two versions of one slice, label by label.

    Raises:
        RejectedInput: They are of different slices (``versions-of-two-slices``).
    """
    if one.task_id != other.task_id:
        raise RejectedInput(
            "versions-of-two-slices",
            "The two versions are of different slices.",
            remedy="Choose both on one slice's page.",
        )
    first, second = (masks_in(stored_masks(version)) for version in (one, other))
    return [_difference(label, first, second) for label in sorted({*first, *second})]


def _difference(
    label: str, first: Mapping[str, NDArray[np.bool_]], second: Mapping[str, NDArray[np.bool_]]
) -> LabelDifference:
    from training.measures.metrics import dice

    shape = next(iter({**first, **second}.values())).shape
    before, after = (masks.get(label, np.zeros(shape, dtype=np.bool_)) for masks in (first, second))
    return LabelDifference(
        label=label,
        area_one=int(before.sum()),
        area_other=int(after.sum()),
        dice=dice(before, after),
        added=int((after & ~before).sum()),
        removed=int((before & ~after).sum()),
    )


def restore(version: Annotation, *, person: User) -> Restoration:
    """Writes a version back to Label Studio, where it becomes the newest; nothing that came between is lost.

    It changes the annotation it was a save of, or the slice's present one where that was deleted, and makes a new one
    where there is none. It keeps its annotator; the person who restored it is recorded. The slice's open losses are
    marked as seen where the person may do that.

    Raises:
        RejectedInput: The slice has no task in Label Studio now (``slice-unpublished``), its case is excluded
            (``case-excluded``), the version's annotator is not proved (``version-unproved``), or it is of a reading
            that is another's or is over (``version-of-a-reading``).
        TryAgain: Label Studio does not answer. It may have taken the version all the same, so the record stays: the
            annotator of that version counts as one of every later save on the slice.
    """
    version = Annotation.objects.select_related("task__case", "task__project").get(pk=version.pk)
    task = version.task
    require_in_use(task.case)
    _require_own_reading(version, person)
    if not is_restorable(version):
        raise _unproved(version)
    if task.project.is_retired or task.label_studio_id == 0:
        raise _without_task(task)
    record = Restoration.objects.create(source=version, person=person)
    try:
        answer = _write_back(version)
    except TryAgain:
        raise
    except MaskloopError:
        record.delete()
        raise
    with transaction.atomic():  # without its source, a version would be attributed to the person who restored it
        record.result = _take(answer, task)
        record.save(update_fields=["result"])
    losses = AnnotationFinding.objects.filter(
        annotation__task=task, annotation__pk__lt=record.result.pk, kind__in=LOSSES
    )
    mark_seen(losses, person)
    logger.info("%s restored %s as %s", person, version, record.result)
    return record


def _require_own_reading(version: Annotation, person: User) -> None:
    """Refuses a version of a reading, but to its reader while their work goes on: it is theirs, and apart."""
    reading = version.reading
    if reading is not None and (reading.person_id != person.pk or not reading.row.is_open):
        raise RejectedInput(
            "version-of-a-reading",
            f"{version} belongs to one reader's own work, which is kept apart.",
            remedy="The reader restores it while they read the case; afterwards, correct the mask in the review.",
        )


def is_restorable(version: Annotation) -> bool:
    """Whether Label Studio confirmed it, and somebody known here drew it."""
    return Annotation.objects.filter(pk=version.pk).proved().exists()


def _write_back(version: Annotation) -> Mapping[str, Any]:
    """Writes a version to Label Studio under its annotator: the person who restores it drew nothing."""
    annotator = _annotator(version)
    body: dict[str, Any] = {"result": version.raw["result"], "was_cancelled": version.was_cancelled}
    if annotator:
        body["completed_by"] = annotator
    for identifier in _living(version):
        try:
            return record_of(call("PATCH", f"/api/annotations/{identifier}/", json=body))
        except RejectedInput as error:  # deleted there meanwhile
            if error.code != "label-studio-missing":
                raise
    try:
        return record_of(call("POST", f"/api/tasks/{version.task.label_studio_id}/annotations/", json=body))
    except RejectedInput as error:
        raise (_without_task(version.task) if error.code == "label-studio-missing" else error) from error


def _living(version: Annotation) -> list[int]:
    """Annotations of the slice's present task that should be there, the version's own first."""
    task = version.task
    saves = Annotation.objects.filter(task=task, project=task.project, label_studio_task=task.label_studio_id)
    present = saves.newest_of_each_task(version.reading).get(task.pk)
    own = saves.filter(label_studio_id=version.label_studio_id).exists() and not version.is_deleted
    numbers = [version.label_studio_id] if own and version.project_id == task.project_id else []
    return list(dict.fromkeys([*numbers, *([present.label_studio_id] if present else [])]))


def _take(answer: Mapping[str, Any], task: LabelingTask) -> Annotation:
    """The new version, whether its webhook came first or was lost."""
    save = read_save(answer, project=task.project.label_studio_id)
    return store(save, received_by=ReceivedBy.PULL)[0]


def _annotator(version: Annotation) -> int | None:
    """Label Studio's number of a version's annotator, as a data manager or else the version names them."""
    named = NamedDrawer.objects.filter(annotation=version).select_related("person").first()
    return named.person.label_studio_id if named else version.completed_by or version.updated_by


def _unproved(version: Annotation) -> RejectedInput:
    return RejectedInput(
        "version-unproved",
        f"{version} was not confirmed by Label Studio, or its annotator is unknown.",
        remedy="Have the slice drawn anew, or have a data manager name the annotator on the page of findings.",
    )


def _without_task(task: LabelingTask) -> RejectedInput:
    return RejectedInput(
        "slice-unpublished",
        f"{task} is not in Label Studio now.",
        remedy=f"Run `manage.py publish_tasks --case {task.case.code}`, then restore again.",
    )
