"""Publishing a case: one Label Studio task a slice."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from annotation_backend.cases.models import Case, Slice
from annotation_backend.cases.registering import require_sound
from annotation_backend.labeling.client import call
from annotation_backend.labeling.former import make_way
from annotation_backend.labeling.jobs import mirror_case_states
from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.project import ensure_project
from annotation_backend.labeling.task_data import digest_of_data, pictures_by_index, task_data, write_task
from annotation_backend.labeling.watch.services import bring_up_to_date
from datasets.case import SeriesRole
from datasets.errors import RejectedInput


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
    pictures = pictures_by_index(case)
    if not pictures:
        raise RejectedInput(
            "case-not-exported",
            f"{case.code} has no pictures.",
            remedy=f"Run `manage.py register_cases` and `manage.py export_slices --case {case.code}` first.",
        )
    project = ensure_project()
    records = list(LabelingTask.objects.filter(project=project, case=case))
    found = _in_label_studio(project, records)
    living = [record for record in records if record.label_studio_id in found]
    bring_up_to_date(project, living, found)
    published = {record.slice_index for record in living}
    missing = [index for index in sorted(pictures) if index not in published]
    if missing:
        contents = {index: task_data(case, index, pictures[index]) for index in missing}
        identifiers = _import(project, case, contents)
        _keep(project, case, identifiers, {index: digest_of_data(data) for index, data in contents.items()})
    return len(missing)


def refresh_addresses(case: Case) -> int:
    """Draws new picture addresses for a case and writes them into its tasks; the old ones stop working.

    Returns:
        How many tasks were changed.
    """
    pictures = pictures_by_index(case)
    records = list(LabelingTask.objects.filter(case=case, project__is_retired=False).select_related("project"))
    found = _in_label_studio(records[0].project, records) if records else {}
    tasks = [task for task in records if task.label_studio_id in found]
    for task in tasks:
        _renew(case, task, pictures[task.slice_index])
    return len(tasks)


def _renew(case: Case, task: LabelingTask, pair: dict[SeriesRole, Slice]) -> None:
    """New addresses for one task: they work once Label Studio has them, and the old ones work until then."""
    with transaction.atomic():
        for picture in pair.values():
            picture.renew_token()
            picture.save()
        data = task_data(case, task.slice_index, pair, state=task.mirrored_state, comment=task.mirrored_comment)
        write_task(task, data, there={})


def _in_label_studio(project: LabelingProject, records: Sequence[LabelingTask]) -> dict[int, dict[str, Any]]:
    """Those tasks that Label Studio has, by their number there; others of its tasks may be among them."""
    if not records:
        return {}
    numbers = [record.label_studio_id for record in records]
    between = {"filter": "filter:tasks:id", "operator": "in", "type": "Number"}
    condition = {**between, "value": {"min": min(numbers), "max": max(numbers)}}
    query = json.dumps({"filters": {"conjunction": "and", "items": [condition]}})
    parameters = {"project": project.label_studio_id, "page_size": 100_000, "fields": "task_only", "query": query}
    return {row["id"]: row for row in call("GET", "/api/tasks/", params=parameters)["tasks"]}


def _import(project: LabelingProject, case: Case, contents: dict[int, dict[str, Any]]) -> dict[int, int]:
    """Makes tasks; returns the id of each slice's."""
    bodies = [{"data": data, "meta": {"case": case.code, "slice": index}} for index, data in contents.items()]
    path = f"/api/projects/{project.label_studio_id}/import"
    answer = call("POST", path, params={"return_task_ids": "true"}, json=bodies)
    return dict(zip(contents, answer["task_ids"], strict=True))


def _keep(
    project: LabelingProject, case: Case, identifiers: dict[int, int], digests: Mapping[int, str] | None = None
) -> None:
    """Records the tasks; a slice whose task was deleted in Label Studio keeps its state and its annotations."""
    with transaction.atomic():
        make_way(project, case, identifiers)
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
                    "written": [digests[index]] if digests else [],
                    "shown": [],
                },
            )
        mirror_case_states.enqueue(case_code=case.code)
