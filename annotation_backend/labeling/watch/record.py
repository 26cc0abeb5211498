"""Records differences in Label Studio, and flags the saves that were made while it showed something else."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models import (
    MISLEADING,
    OF_TASKS,
    Annotation,
    AnnotationFinding,
    FindingKind,
    LabelingProject,
    LabelingTask,
    StudioChange,
    Subject,
)
from annotation_backend.labeling.watch.difference import Difference
from annotation_backend.studies.models import Study

STAYS_OPEN = timedelta(hours=24)
"""Time after a mending in which a task that was opened before it may still be submitted."""


def keep(project: LabelingProject, found: Iterable[Difference]) -> list[StudioChange]:
    """One row for all differences of a kind (and case) that nobody has looked at yet."""
    return [_keep(project, one) for one in found]


def mark_mended(rows: Sequence[StudioChange]) -> None:
    """Records that Label Studio is as it should be again, and flags the saves that were made meanwhile."""
    now = timezone.now()
    StudioChange.objects.filter(pk__in=[row.pk for row in rows]).update(mended_at=now)
    for project in {row.project for row in rows}:
        flag_saves(project)


def mark_well(project: LabelingProject, subjects: Collection[Subject]) -> None:
    """Records that all of these subjects are as they should be, and closes their open differences."""
    rows = StudioChange.objects.filter(project=project, subject__in=subjects, mended_at__isnull=True)
    mark_mended(list(rows.select_related("project")))


def flag_saves(project: LabelingProject) -> int:
    """Raises a finding for each slice whose newest save was made while Label Studio showed something else.

    A save counts as made meanwhile when it came after the last look that found all well, and was begun before it was
    mended; where Label Studio does not take it back, each newer one counts.

    Returns:
        How many findings are new.
    """
    changes = StudioChange.objects.filter(project=project, subject__in=MISLEADING)
    open_long = timezone.now() - STAYS_OPEN
    made = 0
    recent = changes.filter(Q(mended_at__isnull=True) | Q(mended_at__gt=open_long))
    for change in recent.select_related("project"):
        for save in _saves_during(change):
            _, is_new = AnnotationFinding.objects.get_or_create(
                annotation=save, before=None, kind=FindingKind.SHOWN, label=change.subject
            )
            made += is_new
    return made


def open_changes(study: Study) -> QuerySet[StudioChange]:
    """Changes of a study's project that nobody has looked at yet."""
    changes = StudioChange.objects.filter(project__study=study, seen_at__isnull=True)
    return changes.select_related("case", "project")


def mark_change_seen(pk: int, person: User) -> int:
    """Stores the person who looked at a change; returns how many rows that was."""
    return StudioChange.objects.filter(pk=pk, seen_at__isnull=True).update(seen_by=person, seen_at=timezone.now())


def _keep(project: LabelingProject, one: Difference) -> StudioChange:
    what = {"project": project, "case": one.task.case if one.task else None, "subject": one.subject, "name": one.name}
    with transaction.atomic():
        LabelingProject.objects.select_for_update().get(pk=project.pk)  # two that look at once write one row
        row = StudioChange.objects.filter(**what, seen_at__isnull=True).first()
        if row is None:
            row = StudioChange(**what, times=0, good_until=_good_until(project, one.subject))
        row.times += 1
        row.expected, row.found, row.mended_at = one.expected, one.found, None
        row.changed_at, row.changed_by = one.changed_at, one.changed_by
        if one.task and one.task.slice_index not in row.slices:
            row.slices = sorted([*row.slices, one.task.slice_index])
        row.save()
    return row


def _good_until(project: LabelingProject, subject: Subject) -> datetime | None:
    return project.looked_over_at if subject in OF_TASKS else project.looked_at


def _saves_during(change: StudioChange) -> list[Annotation]:
    """The newest save of each slice concerned, where it was made meanwhile."""
    tasks = LabelingTask.objects.filter(project=change.project)
    if change.case_id:
        tasks = tasks.filter(case=change.case_id, slice_index__in=change.slices)
    newest = Annotation.objects.filter(task__in=tasks).newest_of_each_task()
    return [save for save in newest.values() if _was_made_during(save, change)]


def _was_made_during(save: Annotation, change: StudioChange) -> bool:
    if change.good_until is not None and save.saved_at <= change.good_until:
        return False
    raw: Any = Annotation.objects.values_list("raw", flat=True).get(pk=save.pk)
    taken = raw.get("lead_time") if isinstance(raw, dict) else None
    seconds = min(float(taken), STAYS_OPEN.total_seconds()) if isinstance(taken, int | float) else 0.0
    began = save.saved_at - timedelta(seconds=max(0.0, seconds))
    return change.mended_at is None or began < change.mended_at
