"""Tasks: the pictures, words and predictions that Label Studio shows of each slice."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from annotation_backend.cases.models import Slice
from annotation_backend.labeling.models import LabelingProject, LabelingTask, Subject, TaskState
from annotation_backend.labeling.signals import predictions_outdated
from annotation_backend.labeling.studio.answers import LARGEST_NUMBER, moment_of, record_of, rows_of
from annotation_backend.labeling.studio.client import unless_missing
from annotation_backend.labeling.studio.shown_predictions import hide_predictions
from annotation_backend.labeling.studio.task_data import (
    digest_of,
    digest_of_data,
    pictures_by_index,
    task_data,
    write_task,
)
from annotation_backend.labeling.studio.task_lists import FAILED, NO_ANSWER, TaskRow, Unreadable, found_among, listed
from annotation_backend.labeling.watch.difference import Difference
from datasets.errors import TryAgain

logger = logging.getLogger(__name__)

_SUBJECTS = {
    **dict.fromkeys(("annotated", "companion", "companions", "windows"), Subject.PICTURE),
    "state": Subject.STATE,
    "review_comment": Subject.COMMENT,
}
"""Subject of keys of a task's data; all other keys are its data in general."""

BEFORE = "before"
"""Stands for the predictions that a task had when it was looked at for the first time: their origin is unknown."""

FOREIGN, CHANGED, GONE = "another beside ours", "ours is another now", "ours is gone"

_PAGE = 100


class Pictures:
    """Tasks' data as it should be; the pictures of a case are read once."""

    def __init__(self) -> None:
        self._of_case: dict[int, dict[int, dict[str, Slice]]] = {}

    def wanted(self, task: LabelingTask) -> dict[str, Any] | None:
        """The data that a task should have; None where its slice has no picture (any more)."""
        if task.case_id not in self._of_case:
            self._of_case[task.case_id] = pictures_by_index(task.case)
        pair = self._of_case[task.case_id].get(task.slice_index)
        if pair is None:
            return None
        return task_data(task.case, task.slice_index, pair, state=task.mirrored_state, comment=task.mirrored_comment)


def differences(project: LabelingProject, rows: Iterable[TaskRow]) -> list[Difference]:
    """Data and predictions of tasks that we did not give them.

    A task that differs is asked for once more by itself, between two readings of our record of it, so that a change of
    ours meanwhile counts as ours. A long list may be older than two pushes of ours.

    Args:
        project: Our project in Label Studio.
        rows: Tasks as Label Studio lists them; those that are not ours are passed over.
    """
    records, pictures = _records(project), Pictures()
    suspects = [row["id"] for row in rows if (task := records.get(row["id"])) and _of_row(task, row, pictures)]
    return [one for number in suspects for one in _asked_again(project, number, pictures)]


def _asked_again(project: LabelingProject, number: int, pictures: Pictures) -> list[Difference]:
    before = _records(project, [number]).get(number)
    try:
        row = unless_missing("GET", f"/api/tasks/{number}/")
        found = None if row is None else sound(row)
    except TryAgain as error:
        if error.code not in (FAILED, NO_ANSWER):
            raise
        return []  # Label Studio fails at this task, which reconciliation names, or the next look asks again
    task = _records(project, [number]).get(number)
    if before is None or task is None or found is None or found["id"] != number:
        return []
    task.written, task.shown = [*before.written, *task.written], [*before.shown, *task.shown]
    return _of_row(task, found, pictures)


def all_tasks(
    project: LabelingProject, *, since: datetime | None = None, odd: list[str] | None = None
) -> list[TaskRow]:
    """Tasks with their predictions; with `since`, those that Label Studio changed after it.

    Where Label Studio fails at one of them, all of ours are read but that one, which reconciliation names.

    Args:
        project: Our project in Label Studio.
        since: The earliest change.
        odd: Takes a line for each task of another shape than a task's, which is left out.

    Raises:
        TryAgain: Label Studio does not answer, or fails whatever it is asked for.
    """
    odd, other = [] if odd is None else odd, list[str]()
    condition = _changed_after(since) if since else None
    try:
        rows = list(_sound_ones(listed(project, fields="all", condition=condition, page_size=_PAGE, odd=[]), other))
    except TryAgain as error:
        if error.code != FAILED:
            raise
        other.clear()
        found = found_among(project, list(_records(project)), fields="all", odd=[])
        rows = list(_sound_ones((row for row in found if not isinstance(row, Unreadable)), other))
    odd.extend(other)
    return rows


def _changed_after(moment: datetime) -> dict[str, Any]:
    value = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"filter": "filter:tasks:updated_at", "operator": "greater", "type": "Datetime", "value": value}


def sound(row: object) -> TaskRow:
    """The parts of a task that are compared; masks, gigabytes in many tasks, do not stay in memory.

    Raises:
        TryAgain: The row has not the shape of a task (``label-studio-answer``).
    """
    task = record_of(row, id=int, data=dict)
    kept = {key: task.get(key) for key in ("id", "data", "created_at", "updated_at", "updated_by")}
    if task.get("predictions") is not None:
        kept["predictions"] = [
            {"id": one["id"], "updated_at": one.get("updated_at"), "shown": digest_of(one.get("result"))}
            for one in rows_of(task["predictions"], id=int)
        ]
    return kept


def _sound_ones(rows: Iterable[TaskRow], odd: list[str]) -> Iterator[TaskRow]:
    """The rows that have a task's shape; the others are named in `odd`."""
    for row in rows:
        try:
            yield sound(row)
        except TryAgain as error:
            odd.append(f"Task {row['id']} was not looked at, the next round does it again: {error}")


def mend(found: Sequence[Difference], rows: Mapping[int, TaskRow]) -> set[int]:
    """Gives tasks their data back; a prediction that is not ours shows nothing, until the worker has drawn it anew.

    Returns:
        Label Studio's numbers of the tasks at which it fails; they stay as they are.
    """
    tasks = {one.task.pk: one.task for one in found if one.task}
    drawings = {one.task.pk for one in found if one.task and one.subject is Subject.PREDICTION}
    words = {one.task.pk for one in found if one.task and one.subject is not Subject.PREDICTION}
    pictures = Pictures()
    failed = set[int]()
    for key in words:
        wanted, data = pictures.wanted(tasks[key]), rows[tasks[key].label_studio_id]["data"]
        if wanted is not None:
            failed |= _failing(tasks[key], partial(write_task, tasks[key], wanted, there=data))
    for key in drawings:
        failed |= _failing(tasks[key], partial(hide_predictions, tasks[key]))
    draw_anew([tasks[key] for key in drawings])
    return failed


def bring_up_to_date(tasks: Iterable[LabelingTask], rows: Mapping[int, TaskRow]) -> set[int]:
    """Gives tasks the data that they should have by now, where that differs from what we wrote last.

    Args:
        tasks: Our records of the tasks.
        rows: These tasks as Label Studio has them, by its number.

    Returns:
        As `mend`.
    """
    pictures = Pictures()
    failed = set[int]()
    for task in tasks:
        wanted, data = pictures.wanted(task), rows[task.label_studio_id]["data"]
        if wanted is None:
            continue
        if digest_of_data(wanted) != digest_of_data(data):
            failed |= _failing(task, partial(write_task, task, wanted, there=data))
        elif not task.written:
            LabelingTask.objects.filter(pk=task.pk).update(written=[digest_of_data(data)])
    return failed


def _failing(task: LabelingTask, write: Callable[[], None]) -> set[int]:
    """Writes; the task's number where Label Studio fails at it, so that the others are written."""
    try:
        write()
    except TryAgain as error:
        if error.code != FAILED:
            raise
        logger.warning("%s: Label Studio fails at its task %d (%s)", task, task.label_studio_id, error.code)
        return {task.label_studio_id}
    return set()


def draw_anew(tasks: Sequence[LabelingTask]) -> None:
    """Has the worker push the predictions of those tasks that nobody submitted."""
    LabelingTask.objects.filter(pk__in=[task.pk for task in tasks]).update(drawn_by=None)
    waiting = {task.case.code for task in tasks if task.state == TaskState.PENDING}
    for code in sorted(waiting):
        predictions_outdated.send(sender=LabelingTask, case_code=code)


def take_for_old(project: LabelingProject, rows: Mapping[int, TaskRow]) -> None:
    """In the first look at a project: predictions of unknown origin are not reported.

    Those that an earlier version pushed are drawn anew once, where the slice still waits.
    """
    unknown = LabelingTask.objects.filter(project=project, label_studio_id__gt=0, shown=[])
    pushed = list(unknown.filter(state=TaskState.PENDING, drawn_by__isnull=False).select_related("case"))
    others = [task.pk for task in unknown if (rows.get(task.label_studio_id) or {}).get("predictions")]
    unknown.filter(pk__in=[*others, *(task.pk for task in pushed)]).update(shown=[BEFORE])
    if pushed:
        draw_anew(pushed)


def _records(project: LabelingProject, numbers: Sequence[int] | None = None) -> dict[int, LabelingTask]:
    rows = LabelingTask.objects.filter(project=project, label_studio_id__gt=0)
    if numbers is not None:
        rows = rows.filter(label_studio_id__in=numbers)
    return {task.label_studio_id: task for task in rows.select_related("case__patient", "project")}


def _of_row(task: LabelingTask, row: TaskRow, pictures: Pictures) -> list[Difference]:
    return [*of_data(task, row, pictures), *_of_predictions(task, row)]


def of_data(task: LabelingTask, row: TaskRow, pictures: Pictures) -> list[Difference]:
    """Values of a task's data that are neither as we wrote them nor as they should be; one difference a subject."""
    data = row["data"]
    if digest_of_data(data) in task.written:
        return []
    wanted = pictures.wanted(task)
    if wanted is None:
        return []
    keys = [key for key in wanted if key not in data or wanted[key] != data[key]]
    by_subject: dict[Subject, list[str]] = {}
    for key in dict.fromkeys(keys):
        by_subject.setdefault(_SUBJECTS.get(key, Subject.TASK_DATA), []).append(key)
    return [
        Difference(
            subject,
            "not as we gave it",
            digest_of([wanted.get(key) for key in keys]),
            digest_of([data.get(key) for key in keys]),
            row["id"],
            task,
            *_who_and_when(row),
        )
        for subject, keys in by_subject.items()
    ]


def _of_predictions(task: LabelingTask, row: TaskRow) -> list[Difference]:
    rows = row.get("predictions")
    is_old = BEFORE in task.shown or (not task.shown and task.drawn_by_id)
    if rows is None or is_old:
        return []
    last = task.shown[-1] if task.shown else ""
    if not rows and task.drawn_by_id:
        return [Difference(Subject.PREDICTION, GONE, last, "", row["id"], task)]
    digests = {one["id"]: one["shown"] for one in rows}
    others = [number for number, digest in digests.items() if digest not in task.shown]
    if not others:
        return []
    name = FOREIGN if len(others) < len(rows) else CHANGED
    moments = [moment_of(one.get("updated_at")) for one in rows if one["id"] in others]
    when = max((moment for moment in moments if moment), default=None)
    return [Difference(Subject.PREDICTION, name, last, digests[others[-1]], row["id"], task, when)]


def _who_and_when(row: TaskRow) -> tuple[datetime | None, int]:
    """Label Studio's last change of the task, which may be a later one."""
    people = row.get("updated_by")
    first = people[0] if isinstance(people, list) and people else people
    person = first.get("user_id") if isinstance(first, Mapping) else first
    known = isinstance(person, int) and not isinstance(person, bool) and 0 < person <= LARGEST_NUMBER
    return moment_of(row.get("updated_at")), int(str(person)) if known else 0
