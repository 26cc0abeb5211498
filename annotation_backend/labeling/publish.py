"""Publishing a case: one Label Studio task a slice."""

from typing import Any

from django.db import transaction

from annotation_backend.cases.models import Case, Slice
from annotation_backend.labeling.client import call
from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.project import ensure_project
from datasets.case import SeriesRole, Stage
from datasets.errors import RejectedInput

SEQUENCE_NAMES = {SeriesRole.T1: "T1 (registered)", SeriesRole.T2: "T2 fat-saturated"}


def publish(case: Case) -> int:
    """Makes a task of each exported slice that has none in Label Studio (any more).

    Args:
        case: A case with exported slices.

    Returns:
        How many tasks were made.

    Raises:
        RejectedInput: The case's slices were not exported (``case-not-exported``).
        TryAgain: Label Studio does not answer.
    """
    pictures = _pictures_by_index(case)
    if not pictures:
        raise RejectedInput(
            "case-not-exported",
            f"{case.code} has no pictures.",
            remedy=f"Run `manage.py register_cases` and `manage.py export_slices --case {case.code}` first.",
        )
    project = ensure_project()
    _forget_vanished_tasks(project, case)
    published = set(LabelingTask.objects.filter(project=project, case=case).values_list("slice_index", flat=True))
    missing = [index for index in sorted(pictures) if index not in published]
    if missing:
        _import(project, case, {index: pictures[index] for index in missing})
    return len(missing)


def refresh_addresses(case: Case) -> int:
    """Draws new picture addresses for a case and writes them into its tasks; the old ones stop working.

    Returns:
        How many tasks were changed.
    """
    with transaction.atomic():
        for picture in case.slices.all():
            picture.renew_token()
            picture.save()
    pictures = _pictures_by_index(case)
    tasks = LabelingTask.objects.filter(case=case)
    for task in tasks:
        data = _task_data(case, task.slice_index, pictures[task.slice_index], state=task.mirrored_state)
        call("PATCH", f"/api/tasks/{task.label_studio_id}/", json={"data": data})
    return len(tasks)


def _pictures_by_index(case: Case) -> dict[int, dict[SeriesRole, Slice]]:
    pictures: dict[int, dict[SeriesRole, Slice]] = {}
    for picture in case.slices.all():
        pictures.setdefault(picture.index, {})[SeriesRole(picture.role)] = picture
    return pictures


def _forget_vanished_tasks(project: LabelingProject, case: Case) -> None:
    """Drops our records of tasks that were deleted in Label Studio, unless annotations hang on them."""
    known = LabelingTask.objects.filter(project=project, case=case, annotations=None)
    if known.exists():
        found = call(
            "GET",
            "/api/tasks/",
            params={"project": project.label_studio_id, "page_size": 100000, "fields": "task_only"},
        )
        alive = {row["id"] for row in found["tasks"]}
        known.exclude(label_studio_id__in=alive).delete()


def _import(project: LabelingProject, case: Case, pictures: dict[int, dict[SeriesRole, Slice]]) -> None:
    bodies = [
        {"data": _task_data(case, index, pair), "meta": {"case": case.code, "slice": index}}
        for index, pair in pictures.items()
    ]
    answer = call(
        "POST",
        f"/api/projects/{project.label_studio_id}/import",
        params={"return_task_ids": "true"},
        json=bodies,
    )
    LabelingTask.objects.bulk_create(
        LabelingTask(project=project, case=case, slice_index=index, label_studio_id=identifier)
        for index, identifier in zip(pictures, answer["task_ids"], strict=True)
    )


def _task_data(
    case: Case, index: int, pair: dict[SeriesRole, Slice], *, state: str = TaskState.PENDING.value
) -> dict[str, Any]:
    annotated = case.annotated_role
    companion = SeriesRole.T1 if annotated is SeriesRole.T2 else SeriesRole.T2
    return {
        "title": f"{case.code} · slice {index}",
        "annotated": pair[annotated].url,
        "companion": pair[companion].url,
        "annotated_sequence": f"Draw here: {SEQUENCE_NAMES[annotated]}",
        "companion_sequence": SEQUENCE_NAMES[companion],
        "case": case.code,
        "slice": index,
        "tissue_type": case.tissue_type,
        "anatomical_site": case.anatomical_site,
        "stage": Stage.ANNOTATION.value,
        "state": state,
    }
