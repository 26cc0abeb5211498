"""Looking over a project in Label Studio, naming what differs, and mending it."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.watch import backends, interface, storages, tasks, webhooks
from annotation_backend.labeling.watch.difference import Check, Difference
from annotation_backend.labeling.watch.record import flag_saves, keep, mark_mended
from datasets.errors import MaskloopError, TryAgain

logger = logging.getLogger(__name__)

CHECKS = (
    Check(interface.differences, interface.mend),
    Check(backends.differences, backends.mend),
    Check(webhooks.differences, webhooks.mend),
    Check(storages.differences, storages.mend),
)
"""Of a project as a whole. The backends before the webhooks: Label Studio makes a webhook with each backend."""

_NOBODY_THERE = ("label-studio-down", "label-studio-token", "label-studio-tokens-off", "label-studio-missing")

PAUSE_SECONDS = 2.0
"""What differs is looked at again so much later: it may have been us, in the middle of a change."""

OVERLAP = timedelta(minutes=2)
"""Label Studio may write a change with an earlier time than one that was seen already."""


def look(project: LabelingProject) -> list[Difference]:
    """All that differs from what we left in Label Studio; changes nothing.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: It refuses our token, or has not the project.
    """
    found = [one for check in CHECKS for one in _settled(check, project)]
    return found + tasks.differences(project, tasks.all_tasks(project))


def settle(project: LabelingProject, *, is_full: bool = True) -> list[str]:
    """Looks, writes down what differs, and mends it.

    Args:
        project: Ours, in Label Studio.
        is_full: Looks at every task, rather than those that Label Studio changed since the last look.

    Returns:
        One line for each thing that was mended.

    Raises:
        TryAgain: Label Studio does not answer; what was found stays written down.
    """
    began = timezone.now()
    told = settle_project(project)
    since = None if is_full or project.looked_at is None else min(project.looked_at, began) - OVERLAP
    try:
        rows = {row["id"]: row for row in tasks.all_tasks(project, since=since, odd=told)}
    except TryAgain as error:
        if error.code in _NOBODY_THERE:
            raise
        return [*told, f"Label Studio's tasks were not looked at, the next round does it again: {error}"]
    told += _settle_tasks(project, rows)
    _redraw_unknown(project)
    _looked(project, began, is_full=since is None)
    flag_saves(project)
    return told


def settle_project(project: LabelingProject) -> list[str]:
    """The same for the project without its tasks: interface, settings, backends, webhooks, storages."""
    return [line for check in CHECKS for line in _settle(check, project)]


def _settle(check: Check, project: LabelingProject) -> list[str]:
    """One kind of thing; where it cannot be looked at or brought back, the others still are."""
    try:
        found = _settled(check, project)
    except MaskloopError as error:
        if error.code in _NOBODY_THERE:
            raise
        return [str(error)]
    rows = keep(project, found)
    try:
        check.mend(project, found)
    except MaskloopError as error:
        if error.code in _NOBODY_THERE:
            raise
        logger.warning("%s", error)
        return [*_told(found, was_mended=False), str(error)]
    mark_mended(rows)
    return _told(found)


def bring_up_to_date(project: LabelingProject, records: Sequence[LabelingTask], rows: Mapping[int, Any]) -> list[str]:
    """The same for some tasks; those that show what we gave them last get what they should show by now.

    Args:
        project: Ours.
        records: Tasks that Label Studio has.
        rows: What it has of them, by its number.
    """
    return _settle_tasks(project, {record.label_studio_id: rows[record.label_studio_id] for record in records})


def _settle_tasks(project: LabelingProject, rows: Mapping[int, Any]) -> list[str]:
    found = tasks.differences(project, rows.values())
    changes = keep(project, found)
    tasks.mend(found, rows)
    mark_mended(changes)
    mended = {one.number for one in found}
    ours = LabelingTask.objects.filter(project=project, label_studio_id__in=set(rows) - mended)
    tasks.bring_up_to_date(ours.select_related("case__patient", "project"), rows)
    return _told(found)


def _settled(check: Check, project: LabelingProject) -> list[Difference]:
    """What differs twice: a change of ours on its way is none of anybody else's."""
    first = check.look(project)
    if not first:
        return []
    time.sleep(PAUSE_SECONDS)
    project.refresh_from_db()
    again = check.look(project)
    return [one for one in again if one in first]


def _redraw_unknown(project: LabelingProject) -> None:
    """Predictions of before they were written down are drawn anew once: nobody can say whose they are."""
    waiting = LabelingTask.objects.filter(project=project, state=TaskState.PENDING, drawn_by__isnull=False, shown=[])
    if unknown := list(waiting.select_related("case")):
        tasks.draw_anew(unknown)


def _looked(project: LabelingProject, moment: datetime, *, is_full: bool) -> None:
    project.looked_at = moment
    if is_full:
        project.looked_over_at = moment
    project.save(update_fields=["looked_at", "looked_over_at"])


def _told(found: Sequence[Difference], *, was_mended: bool = True) -> list[str]:
    what = "and was mended" if was_mended else "and could not be mended"
    lines = [
        f"Label Studio had something else than we left there, {what}: {one}. See /findings/. [studio-changed]"
        for one in found
    ]
    for line in lines:
        logger.warning("%s", line)
    return lines
