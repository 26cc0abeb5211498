"""Label Studio's lists of tasks, also where it fails at one of them: that one is found, and the others are read.

A text with half a character in an annotation or in a task's data makes Label Studio answer every list that the task is
in with status 500.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from annotation_backend.labeling.models import LabelingProject
from annotation_backend.labeling.studio.answers import record_of, rows_of, sound_rows_of
from annotation_backend.labeling.studio.client import call, unreadable
from datasets.errors import TryAgain

Fields = Literal["all", "task_only"]

TaskRow = Mapping[str, Any]
"""A task, as Label Studio lists it."""

FAILED, NO_ANSWER = "label-studio-error", "label-studio-answer"

_TOGETHER = 200

MOST_PAGES = 10_000
"""A list that is longer has no end."""

Odd = list[str]
"""Takes one line for each page with rows that are no tasks, where the others are to be read all the same."""


@dataclass(frozen=True)
class Unreadable:
    """A task at which Label Studio fails when it is asked for it."""

    label_studio_id: int


def listed(
    project: LabelingProject,
    *,
    fields: Fields,
    condition: dict[str, Any] | None = None,
    page_size: int = _TOGETHER,
    odd: Odd | None = None,
) -> Iterator[dict[str, Any]]:
    """A project's tasks, page by page.

    Args:
        project: Our project in Label Studio.
        fields: Everything with annotations, or the task alone.
        condition: One filter, as Label Studio writes it.
        page_size: Tasks in one answer.
        odd: Takes a line for rows that are no tasks; where it is left out they are an error, because what is missing
            would be taken for deleted.

    Raises:
        TryAgain: Label Studio does not answer, fails at one of the tasks (``label-studio-error``), or its list is none
            or has no end (``label-studio-answer``).
    """
    parameters: dict[str, Any] = {"project": project.label_studio_id, "page_size": page_size, "fields": fields}
    if condition:
        parameters["query"] = json.dumps({"filters": {"conjunction": "and", "items": [condition]}})
    seen: set[int] = set()
    for page in range(1, MOST_PAGES + 1):
        answer = record_of(call("GET", "/api/tasks/", params={**parameters, "page": page}), tasks=list, total=int)
        rows = _tasks_in(answer["tasks"], odd)
        numbers = {row["id"] for row in rows}
        if page > 1 and numbers and numbers <= seen:
            raise unreadable("the same tasks on every page of a list")
        seen |= numbers
        yield from rows
        if page * page_size >= answer["total"] or not answer["tasks"]:
            return
    raise unreadable("a list without an end")


def _tasks_in(rows: list[Any], odd: Odd | None) -> list[dict[str, Any]]:
    if odd is None:
        return rows_of(rows, id=int)
    tasks, others = sound_rows_of(rows, id=int)
    if others:
        odd.append(
            f"Label Studio's list of tasks has {others} row(s) that are no tasks; the others are taken over. "
            "Does a proxy answer in its place? See data/logs/label_studio.log. [label-studio-answer]"
        )
    return tasks


def found_among(
    project: LabelingProject, numbers: Sequence[int], *, fields: Fields, odd: Odd | None = None
) -> Iterator[dict[str, Any] | Unreadable]:
    """Of the given tasks, those that Label Studio has and those at which it fails.

    Args:
        project: Our project in Label Studio.
        numbers: Label Studio's numbers of tasks, in any order.
        fields: As for `listed`.
        odd: As for `listed`.

    Raises:
        TryAgain: Label Studio does not answer, or fails whatever it is asked for.
    """
    ordered = sorted(set(numbers))
    for start in range(0, len(ordered), _TOGETHER):
        yield from _found(project, ordered[start : start + _TOGETHER], fields, odd)


def _found(
    project: LabelingProject, numbers: Sequence[int], fields: Fields, odd: Odd | None
) -> Iterator[dict[str, Any] | Unreadable]:
    """Asks for all at once; where that fails, for each half."""
    try:
        rows = list(listed(project, fields=fields, condition=_between(numbers[0], numbers[-1]), odd=odd))
    except TryAgain as error:
        if error.code != FAILED:
            raise
        if len(numbers) == 1:
            _require_well(project, fields)
            yield Unreadable(numbers[0])
            return
        middle = len(numbers) // 2
        yield from _found(project, numbers[:middle], fields, odd)
        yield from _found(project, numbers[middle:], fields, odd)
    else:
        wanted = set(numbers)
        yield from (row for row in rows if row["id"] in wanted)


def _require_well(project: LabelingProject, fields: Fields) -> None:
    """Raises where Label Studio fails at a list that no task is in as well: then it is not the task."""
    for _task in listed(project, fields=fields, condition=_between(0, 0)):
        break


def _between(lowest: int, highest: int) -> dict[str, Any]:
    value = {"min": lowest, "max": highest}
    return {"filter": "filter:tasks:id", "operator": "in", "type": "Number", "value": value}
