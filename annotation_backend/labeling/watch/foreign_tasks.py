"""Foreign tasks in our project: imported, copied, or left by a publication that was broken off.

They are not deleted, because somebody may have drawn in one: a foreign task leaves the tabs, and tells a person who
opens it that it counts nowhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from annotation_backend.labeling.models import NONE_OF_OURS, FormerTask, LabelingProject, LabelingTask, Subject
from annotation_backend.labeling.saves.save import place_of
from annotation_backend.labeling.studio.answers import moment_of
from annotation_backend.labeling.studio.client import unless_missing
from annotation_backend.labeling.studio.task_data import digest_of
from annotation_backend.labeling.studio.task_lists import FAILED, TaskRow
from annotation_backend.labeling.watch.difference import Difference
from datasets.errors import TryAgain

SETTLING = timedelta(seconds=60)
"""A publication records its tasks as soon as Label Studio has answered; a younger task may be one of these."""

STATE = "none of ours"
"""No tab asks for it."""

COMMENT = "This task is none of Maskloop's. What is drawn here counts nowhere: draw in the slice's own task."


def differences(project: LabelingProject, rows: Iterable[TaskRow]) -> list[Difference]:
    """Tasks of the project that no slice has or had, and that do not say so yet.

    Args:
        project: Our project in Label Studio.
        rows: Tasks as Label Studio lists them.
    """
    suspects = [row for row in rows if not _is_marked(row["data"]) and _has_settled(row)]
    ours = LabelingTask.objects.filter(project=project, label_studio_id__gt=0)
    known = set(ours.values_list("label_studio_id", flat=True)) if suspects else set()
    return [
        Difference(
            Subject.TASK_DATA,
            NONE_OF_OURS,
            found=digest_of(row["data"]),
            number=row["id"],
            changed_at=moment_of(row.get("created_at")),
        )
        for row in suspects
        if row["id"] not in known and not _was_ours(project, row)
    ]


def mend(found: Sequence[Difference], rows: Mapping[int, TaskRow]) -> set[int]:
    """Takes them out of the tabs, with a comment for a person who opens one.

    Returns:
        Label Studio's numbers of the tasks at which it fails; they stay as they are.
    """
    failed = set[int]()
    for one in found:
        data = {**rows[one.number]["data"], "state": STATE, "review_comment": COMMENT}
        try:
            unless_missing("PATCH", f"/api/tasks/{one.number}/", json={"data": data})
        except TryAgain as error:
            if error.code != FAILED:
                raise
            failed.add(one.number)
    return failed


def _is_marked(data: Mapping[str, Any]) -> bool:
    return data.get("state") == STATE and data.get("review_comment") == COMMENT


def _has_settled(row: TaskRow) -> bool:
    made = moment_of(row.get("created_at"))
    return made is not None and timezone.now() - made >= SETTLING


def _was_ours(project: LabelingProject, row: TaskRow) -> bool:
    """Whether it is a slice's task of before: a project that was given up may be seen again."""
    place = place_of(row)
    former = FormerTask.objects.filter(project=project, label_studio_id=row["id"])
    return place is not None and former.filter(task__case__code=place[0], task__slice_index=place[1]).exists()
