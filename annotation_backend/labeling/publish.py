"""Publishing a case: one Label Studio task a slice."""

from typing import Any

from django.db import transaction

from annotation_backend.cases.models import Case, Slice
from annotation_backend.cases.registering import require_sound
from annotation_backend.labeling.client import call
from annotation_backend.labeling.jobs import mirror_case_states
from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.project import ensure_project
from datasets.case import SeriesRole, Stage
from datasets.errors import RejectedInput

NOT_FAT_SUPPRESSED = "t2-not-fat-suppressed"
"""Code of the finding that a case's T2 shows no sign of fat suppression."""


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
    require_sound(case)
    pictures = _pictures_by_index(case)
    if not pictures:
        raise RejectedInput(
            "case-not-exported",
            f"{case.code} has no pictures.",
            remedy=f"Run `manage.py register_cases` and `manage.py export_slices --case {case.code}` first.",
        )
    project = ensure_project()
    records = LabelingTask.objects.filter(project=project, case=case)
    alive = _alive(project) if records else set()
    published = {record.slice_index for record in records if record.label_studio_id in alive}
    missing = [index for index in sorted(pictures) if index not in published]
    if missing:
        identifiers = _import(project, case, {index: pictures[index] for index in missing})
        _keep(project, case, identifiers)
    return len(missing)


def refresh_addresses(case: Case) -> int:
    """Draws new picture addresses for a case and writes them into its tasks; the old ones stop working.

    Returns:
        How many tasks were changed.
    """
    pictures = _pictures_by_index(case)
    records = LabelingTask.objects.filter(case=case, project__is_retired=False).select_related("project")
    alive = _alive(records[0].project) if records else set()
    tasks = [task for task in records if task.label_studio_id in alive]
    for task in tasks:
        _renew(case, task, pictures[task.slice_index])
    return len(tasks)


def _renew(case: Case, task: LabelingTask, pair: dict[SeriesRole, Slice]) -> None:
    """New addresses for one task: they work once Label Studio has them, and the old ones work until then."""
    with transaction.atomic():
        for picture in pair.values():
            picture.renew_token()
            picture.save()
        data = _task_data(case, task.slice_index, pair, state=task.mirrored_state, comment=task.mirrored_comment)
        call("PATCH", f"/api/tasks/{task.label_studio_id}/", json={"data": data})


def _pictures_by_index(case: Case) -> dict[int, dict[SeriesRole, Slice]]:
    pictures: dict[int, dict[SeriesRole, Slice]] = {}
    for picture in case.slices.all():
        pictures.setdefault(picture.index, {})[SeriesRole(picture.role)] = picture
    return pictures


def _alive(project: LabelingProject) -> set[int]:
    """Ids of all tasks that Label Studio has in the project."""
    parameters = {"project": project.label_studio_id, "page_size": 100_000, "fields": "task_only"}
    return {row["id"] for row in call("GET", "/api/tasks/", params=parameters)["tasks"]}


def _import(project: LabelingProject, case: Case, pictures: dict[int, dict[SeriesRole, Slice]]) -> dict[int, int]:
    """Makes tasks; returns the id of each slice's."""
    bodies = [
        {"data": _task_data(case, index, pair), "meta": {"case": case.code, "slice": index}}
        for index, pair in pictures.items()
    ]
    path = f"/api/projects/{project.label_studio_id}/import"
    answer = call("POST", path, params={"return_task_ids": "true"}, json=bodies)
    return dict(zip(pictures, answer["task_ids"], strict=True))


def _keep(project: LabelingProject, case: Case, identifiers: dict[int, int]) -> None:
    """Records the tasks; a slice whose task was deleted in Label Studio keeps its state and its annotations."""
    with transaction.atomic():
        for index, identifier in identifiers.items():
            LabelingTask.objects.update_or_create(
                case=case,
                slice_index=index,
                defaults={
                    "project": project,
                    "label_studio_id": identifier,
                    "mirrored_state": TaskState.PENDING,
                    "mirrored_comment": "",
                    "drawn_by": None,
                },
            )
        mirror_case_states.enqueue(case_code=case.code)


def _task_data(
    case: Case, index: int, pair: dict[SeriesRole, Slice], *, state: str = TaskState.PENDING.value, comment: str = ""
) -> dict[str, Any]:
    annotated = case.annotated_role
    companion = SeriesRole.T1 if annotated is SeriesRole.T2 else SeriesRole.T2
    return {
        "title": f"{case.code} · slice {index}",
        "annotated": pair[annotated].url,
        "companion": pair[companion].url,
        "annotated_sequence": f"Draw here: {_sequence_name(case, annotated)}",
        "companion_sequence": _sequence_name(case, companion),
        "case": case.code,
        "slice": index,
        "tissue_type": case.tissue_type,
        "anatomical_site": case.anatomical_site,
        "stage": Stage.ANNOTATION.value,
        "state": state,
        "review_comment": comment,
    }


def _sequence_name(case: Case, role: SeriesRole) -> str:
    if role is SeriesRole.T1:
        return "T1 (registered)"
    plain = any(finding["code"] == NOT_FAT_SUPPRESSED for finding in case.findings)
    return "T2" if plain else "T2 fat-saturated"
