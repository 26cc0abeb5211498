"""The state of each task and the reviewer's comment, mirrored into its data in Label Studio for tabs and editor.

A task of an excluded case is shown as `EXCLUDED`, a state that no tab asks for; its own state stays here, and is shown
again once the exclusion is taken back.
"""

import logging
from typing import Any

from django.db.models import Case as Choice
from django.db.models import Exists, F, OuterRef, QuerySet, TextField, Value, When
from django.db.models.functions import Concat

from annotation_backend.cases.models import Case, Exclusion
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.studio.answers import record_of
from annotation_backend.labeling.studio.client import call
from annotation_backend.labeling.studio.task_data import write_task
from annotation_backend.labeling.studio.task_lists import FAILED
from annotation_backend.labeling.watch.record import keep, mark_mended
from annotation_backend.labeling.watch.tasks import Pictures, of_data
from datasets.errors import RejectedInput, TryAgain

logger = logging.getLogger(__name__)

EXCLUDED = "excluded"

_SHOWN_COMMENT = Choice(
    When(slice_comments="", then=F("review_comment")),
    When(review_comment="", then=F("slice_comments")),
    default=Concat("review_comment", Value("\n"), "slice_comments"),
    output_field=TextField(),
)
"""`LabelingTask.shown_comment`, in the database's words."""


def stale_tasks() -> QuerySet[LabelingTask]:
    """Tasks whose state or comment Label Studio does not show as it is."""
    closed = Exists(Exclusion.objects.filter(case=OuterRef("case"), ended__isnull=True))
    tasks = LabelingTask.objects.filter(project__is_retired=False, label_studio_id__gt=0)
    tasks = tasks.alias(state_there=Choice(When(closed, then=Value(EXCLUDED)), default=F("state")))
    return tasks.alias(comment_there=_SHOWN_COMMENT).exclude(
        mirrored_state=F("state_there"), mirrored_comment=F("comment_there")
    )


def mirror_states(case: Case) -> int:
    """Writes state and comment of the case's tasks into Label Studio where they differ.

    Returns:
        How many tasks were changed there.

    Raises:
        TryAgain: Label Studio does not answer, or fails at every one of them.
    """
    is_excluded = Case.objects.get(pk=case.pk).exclusion is not None
    stale = list(stale_tasks().filter(case=case).select_related("case__patient", "project"))
    pictures, failed = Pictures(), list[TryAgain]()
    for task in stale:
        try:
            _mirror(task, EXCLUDED if is_excluded else task.state, pictures)
        except TryAgain as error:
            if error.code != FAILED:
                raise
            failed.append(error)
            logger.warning("%s: Label Studio fails at its task %d (%s)", task, task.label_studio_id, error.code)
    if failed and len(failed) == len(stale):
        raise failed[0]
    return len(stale) - len(failed)


def _mirror(task: LabelingTask, state: str, pictures: Pictures) -> None:
    """Writes one task's state and comment, unless its number is another's there by now."""
    path = f"/api/tasks/{task.label_studio_id}/"
    try:
        row = record_of(call("GET", path, params={"fields": "task_only"}), data=dict)
    except RejectedInput as error:
        logger.warning("%s was deleted in Label Studio; publish_tasks makes it anew (%s)", task, error.code)
        return
    data = row["data"]
    if (data.get("case"), data.get("slice")) != (task.case.code, task.slice_index):
        logger.warning("%s was deleted in Label Studio, and its number is another task's now", task)
        return
    changes = keep(task.project, of_data(task, row, pictures))
    _write(task, state, data, pictures)
    mark_mended(changes)


def _write(task: LabelingTask, state: str, data: dict[str, Any], pictures: Pictures) -> None:
    """The task's data as it should be, and not as somebody left it there, with the new state and comment."""
    task.mirrored_state, task.mirrored_comment = state, task.shown_comment
    new = {"state": state, "review_comment": task.shown_comment}
    write_task(task, pictures.wanted(task) or {**data, **new}, there=data)
    LabelingTask.objects.filter(pk=task.pk).update(mirrored_state=state, mirrored_comment=task.shown_comment)
