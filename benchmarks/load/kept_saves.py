"""Check after a load test: every save that Label Studio acknowledged is stored here once, with its mask."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.load.installation import jobs_waiting
from benchmarks.load.simulated_annotator import Submitted

logger = logging.getLogger("benchmarks.load.kept_saves")


@dataclass
class Kept:
    """Counts of the check.

    Args:
        acknowledged: Submits that Label Studio answered with success.
        lost: Of these, without a row here.
        doubled: Saves with more than one row here, or tasks with more than one annotation in Label Studio.
        different: Rows whose mask is not the one that was sent.
        unknown_there: Annotations in Label Studio whose submit got no answer.
    """

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    different: int = 0
    unknown_there: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.lost} lost, {self.doubled} doubled, "
            f"{self.different} with another mask, {self.unknown_there} in Label Studio without an answer"
        )


def compare(submitted: Sequence[Submitted]) -> Kept:
    """Compares the acknowledged saves with our records and with Label Studio's."""
    from annotation_backend.labeling.models import Annotation

    kept = Kept(acknowledged=len(submitted))
    rows = Counter(Annotation.objects.values_list("label_studio_id", flat=True))
    there = _annotations_there()
    kept.lost = sum(rows[save.annotation] == 0 for save in submitted)
    kept.doubled = sum(count > 1 for count in rows.values()) + sum(len(ids) > 1 for ids in there.values())
    kept.different = sum(not _is_what_was_sent(save) for save in submitted if rows[save.annotation])
    kept.unknown_there = len({i for ids in there.values() for i in ids} - {save.annotation for save in submitted})
    return kept


def finish_jobs(seconds: float) -> float | None:
    """Seconds until the worker had finished all jobs; None if it had not after `seconds`."""
    began = time.monotonic()
    while jobs_waiting():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.5)
    return time.monotonic() - began


def states_and_masks(submitted: Sequence[Submitted]) -> list[str]:
    """Failures after all jobs are done: tasks not annotated (here or there), masks without the newest saves."""
    from annotation_backend.labeling.models import CaseMask, LabelingTask, TaskState
    from annotation_backend.labeling.versions.assembly import current_saves

    identifiers = {save.task for save in submitted}
    tasks = LabelingTask.objects.filter(label_studio_id__in=identifiers, project__is_retired=False)
    not_here = sum(task.state != TaskState.ANNOTATED for task in tasks)
    not_there = sum(task.mirrored_state != TaskState.ANNOTATED for task in tasks)
    wrong = [f"{not_here} task(s) not annotated here"] if not_here else []
    wrong += [f"{not_there} task(s) not shown as annotated in Label Studio"] if not_there else []
    for case in {task.case for task in tasks.select_related("case")}:
        saves = {save.pk for save in current_saves(case).values() if save is not None}
        newest = CaseMask.objects.filter(case=case).last()
        if newest is None or set(newest.annotations.values_list("pk", flat=True)) != saves:
            wrong.append(f"{case.code}: its newest mask is not made of its newest saves")
    return wrong


def _is_what_was_sent(save: Submitted) -> bool:
    from annotation_backend.labeling.masks.regions import mask_of
    from annotation_backend.labeling.models import Annotation

    row = Annotation.objects.filter(label_studio_id=save.annotation).latest("pk")
    height, width = save.mask.shape
    drawn = mask_of(row.raw["result"], height=height, width=width)
    return row.task.label_studio_id == save.task and not drawn.unreadable and np.array_equal(drawn.pixels, save.mask)


def _annotations_there() -> dict[int, list[int]]:
    """Label Studio's annotations by task."""
    from annotation_backend.labeling.models import LabelingProject
    from annotation_backend.labeling.studio.client import call

    project = LabelingProject.objects.get(is_retired=False).label_studio_id
    found: dict[int, list[int]] = {}
    page, total = 1, 1
    while sum(1 for _ in found) < total:
        answer = call(
            "GET", "/api/tasks/", params={"project": project, "page": page, "page_size": 200, "fields": "all"}
        )
        found |= {task["id"]: [save["id"] for save in task["annotations"]] for task in answer["tasks"]}
        page, total = page + 1, answer["total"]
        if not answer["tasks"]:
            break
    return found
