"""Compares a project in Label Studio with what we left there, records the differences, and mends them."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from annotation_backend.labeling.models import OF_TASKS, LabelingProject, LabelingTask, Subject
from annotation_backend.labeling.studio.task_lists import FAILED
from annotation_backend.labeling.watch import backends, foreign_tasks, interface, missing, storages, tasks, webhooks
from annotation_backend.labeling.watch.difference import Check, Difference
from annotation_backend.labeling.watch.record import flag_saves, keep, mark_mended, mark_well
from datasets.errors import MaskloopError, TryAgain

logger = logging.getLogger(__name__)

CHECKS = (
    Check(interface.differences, interface.mend, (Subject.INTERFACE, Subject.SETTING)),
    Check(backends.differences, backends.mend, (Subject.BACKEND,)),
    Check(webhooks.differences, webhooks.mend, (Subject.WEBHOOK,)),
    Check(storages.differences, storages.mend, (Subject.STORAGE,)),
)
"""Checks of a project as a whole. The backends before the webhooks: Label Studio makes a webhook with each backend."""

_NOBODY_THERE = ("label-studio-down", "label-studio-token", "label-studio-tokens-off", "label-studio-missing")

PAUSE_SECONDS = 2.0
"""Time after which a difference is looked at again: it may have been a change of ours, not yet finished."""

OVERLAP = timedelta(minutes=2)
"""Label Studio may write a change with an earlier time than one that was seen already."""


def look(project: LabelingProject) -> list[Difference]:
    """All differences from what we left in Label Studio; changes nothing.

    Raises:
        TryAgain: Label Studio does not answer.
        RejectedInput: Label Studio refuses our token, or has not the project.
    """
    found = [one for check in CHECKS for one in _settled(check, project)]
    rows = tasks.all_tasks(project)
    gone = missing.differences(project, {row["id"] for row in rows})
    return [*found, *tasks.differences(project, rows), *foreign_tasks.differences(project, rows), *gone]


def settle(project: LabelingProject, *, is_full: bool = True) -> list[str]:
    """Compares Label Studio with what we left there, records the differences, and mends them.

    Args:
        project: Our project in Label Studio.
        is_full: Looks at every task, rather than those that Label Studio changed since the last look.

    Returns:
        One line for each thing that was mended.

    Raises:
        TryAgain: Label Studio does not answer; differences that were found stay recorded.
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
    if project.looked_over_at is None:
        tasks.take_for_old(project, rows)
    lines, failed = _settle_tasks(project, rows)
    foreign, unmarked = _settle_foreign_tasks(project, rows)
    lines, failed = lines + foreign, failed | unmarked
    if not failed:
        if since is None:
            mark_well(project, OF_TASKS)
            lines += _name_missing(project, rows)
        _looked(project, began, is_full=since is None)
    flag_saves(project)
    return [*told, *lines, *([_failing(failed)] if failed else [])]


def settle_project(project: LabelingProject) -> list[str]:
    """The same for the project without its tasks: interface, settings, backends, webhooks, storages."""
    return [line for check in CHECKS for line in _settle(check, project)]


def _settle(check: Check, project: LabelingProject) -> list[str]:
    """Looks at one kind of thing and mends it; where that fails, the other kinds are still looked at."""
    try:
        found = _settled(check, project)
    except MaskloopError as error:
        if error.code in _NOBODY_THERE:
            raise
        return [str(error)]
    keep(project, found)
    try:
        check.mend(project, found)
    except MaskloopError as error:
        if error.code in _NOBODY_THERE:
            raise
        logger.warning("%s", error)
        return [*_told(found, was_mended=False), str(error)]
    mark_well(project, check.subjects)
    return _told(found)


def bring_up_to_date(project: LabelingProject, records: Sequence[LabelingTask], rows: Mapping[int, Any]) -> list[str]:
    """The same for some tasks; those that are as we gave them last get the data that they should have by now.

    Args:
        project: Our project in Label Studio.
        records: Tasks that Label Studio has.
        rows: These tasks as it has them, by its number.

    Raises:
        TryAgain: Label Studio does not answer, or fails at one of them; the others have the data they should have.
    """
    numbers = [record.label_studio_id for record in records]
    told, failed = _settle_tasks(project, {number: tasks.sound(rows[number]) for number in numbers})
    if failed:
        raise TryAgain(FAILED, _failing(failed), remedy="Run it again.")
    return told


def _settle_tasks(project: LabelingProject, rows: Mapping[int, Any]) -> tuple[list[str], set[int]]:
    """Records and mends differences of tasks.

    Returns:
        Lines to tell, and Label Studio's numbers of the tasks at which it fails, which does not harm the others.
    """
    found = tasks.differences(project, rows.values())
    failed = _mended(project, found, partial(tasks.mend, found, rows))
    others = set(rows) - {one.number for one in found}
    ours = LabelingTask.objects.filter(project=project, label_studio_id__in=others)
    outdated = tasks.bring_up_to_date(ours.select_related("case__patient", "project"), rows)
    told = _told([one for one in found if one.number not in failed])
    return told + _told([one for one in found if one.number in failed], was_mended=False), failed | outdated


def _failing(numbers: Collection[int]) -> str:
    named = ", ".join(map(str, sorted(numbers)))
    return f"Label Studio fails when it is given what task {named} should show; it is tried again. [{FAILED}]"


def _settle_foreign_tasks(project: LabelingProject, rows: Mapping[int, Any]) -> tuple[list[str], set[int]]:
    """The same for tasks that are none of ours."""
    found = foreign_tasks.differences(project, rows.values())
    failed = _mended(project, found, partial(foreign_tasks.mend, found, rows))
    return _told([one for one in found if one.number not in failed]), failed


def _mended(project: LabelingProject, found: Sequence[Difference], mend: Callable[[], set[int]]) -> set[int]:
    """Writes down what differs, mends it, and writes down what is mended; the tasks at which Label Studio fails."""
    changes = keep(project, found)
    failed = mend()
    mark_mended([row for row, one in zip(changes, found, strict=True) if one.number not in failed])
    return failed


def _name_missing(project: LabelingProject, rows: Mapping[int, Any]) -> list[str]:
    """Tasks that are gone stay named until they are back."""
    found = missing.differences(project, rows)
    still = {row.pk for row in keep(project, found)}
    mark_mended([row for row in missing.open_rows(project) if row.pk not in still])
    lines = missing.told(found)
    for line in lines:
        logger.warning("%s", line)
    return lines


def _settled(check: Check, project: LabelingProject) -> list[Difference]:
    """Differences that are found twice, so that a change of ours on its way is not taken for somebody else's."""
    first = check.look(project)
    if not first:
        return []
    time.sleep(PAUSE_SECONDS)
    project.refresh_from_db()
    again = check.look(project)
    return [one for one in again if one in first]


def _looked(project: LabelingProject, moment: datetime, *, is_full: bool) -> None:
    project.looked_at = moment
    if is_full:
        project.looked_over_at = moment
    project.save(update_fields=["looked_at", "looked_over_at"])


def _told(found: Sequence[Difference], *, was_mended: bool = True) -> list[str]:
    what = "and was mended" if was_mended else "and could not be mended"
    lines = [
        f"Label Studio had something else than we left there, {what}: {one}. See the page of findings. [studio-changed]"
        for one in found
    ]
    for line in lines:
        logger.warning("%s", line)
    return lines
