"""Publishing a case: one Label Studio task a slice."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.db import transaction

from annotation_backend.cases.models import Case, Slice
from annotation_backend.cases.registration.register import require_sound
from annotation_backend.labeling.models import LabelingProject, LabelingTask, TaskState
from annotation_backend.labeling.project.project import ensure_project
from annotation_backend.labeling.saves.renumbered_tasks import mark_former_tasks
from annotation_backend.labeling.signals import states_outdated
from annotation_backend.labeling.studio.answers import record_of, sound_rows_of
from annotation_backend.labeling.studio.client import call, unreadable
from annotation_backend.labeling.studio.task_data import digest_of_data, pictures_by_index, task_data, write_task
from annotation_backend.labeling.studio.task_lists import Fields, Unreadable, found_among
from annotation_backend.labeling.watch.services import bring_up_to_date
from annotation_backend.labeling.watch.tasks import sound
from annotation_backend.stages.flow import begin
from datasets.errors import RejectedInput, TryAgain


def publish(case: Case, *, replace_unreadable: bool = False, findings: list[str] | None = None) -> int:
    """Makes a task of each exported slice that has none in Label Studio (any more).

    Args:
        case: A case with exported slices.
        replace_unreadable: Deletes tasks at which Label Studio fails, and makes them anew.
        findings: Takes one line for each task at which it fails, in place of an error.

    Returns:
        How many tasks were made.

    Raises:
        RejectedInput: The case's slices were not exported (``case-not-exported``), or all is done but for tasks at
            which Label Studio fails (``task-unreadable``).
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
    project = ensure_project(case.study)
    records = list(LabelingTask.objects.filter(project=project, case=case))
    found = _in_label_studio(project, records, fields="all" if replace_unreadable else "task_only")
    broken = [record for record in records if found.get(record.label_studio_id, {}) is None]
    left = [record for record in broken if not _mended(case, record, pictures, replaces=replace_unreadable)]
    if len(left) < len(broken):
        found = _in_label_studio(project, records)
    living = [record for record in records if record.label_studio_id in found]
    _bring_up_to_date(project, living, found)
    published = {record.slice_index for record in living}
    missing = [index for index in sorted(pictures) if index not in published]
    if missing:
        contents = {index: task_data(case, index, pictures[index]) for index in missing}
        identifiers = _import(project, case, contents)
        keep_tasks(project, case, identifiers, {index: digest_of_data(data) for index, data in contents.items()})
    begin(case)
    _tell_unreadable(case, left, findings)
    return len(missing)


def _mended(case: Case, record: LabelingTask, pictures: dict[int, dict[str, Slice]], *, replaces: bool) -> bool:
    """Writes our data into a task at which Label Studio fails; where the fault is in an annotation, that is no help,
    and the task is deleted if somebody asked for it. Its annotations stay here."""
    if record.slice_index in pictures:
        words = {"state": record.mirrored_state, "comment": record.mirrored_comment}
        data = task_data(case, record.slice_index, pictures[record.slice_index], **words)
        with suppress(TryAgain):  # it may take the data and fail at the answer
            write_task(record, data, there={})
    if _is_readable(record) or not replaces:
        return _is_readable(record)
    with suppress(TryAgain):
        call("DELETE", f"/api/tasks/{record.label_studio_id}/")
    return _is_readable(record)


def _is_readable(record: LabelingTask) -> bool:
    """Whether Label Studio gives the task, or has none of that number."""
    found = found_among(record.project, [record.label_studio_id], fields="all")
    return not any(isinstance(task, Unreadable) for task in found)


def _tell_unreadable(case: Case, tasks: Sequence[LabelingTask], findings: list[str] | None) -> None:
    if not tasks:
        return
    numbers = ", ".join(f"{task.label_studio_id} (slice {task.slice_index})" for task in tasks)
    error = RejectedInput(
        "task-unreadable",
        f"Label Studio fails when it is asked for task {numbers} of {case.code}: a text in an annotation holds half a "
        "character.",
        remedy=f"Run `manage.py publish_tasks --case {case.code} --replace-unreadable`: the task is made anew, its "
        "earlier saves stay, and its last save is to be drawn again.",
    )
    if findings is None:
        raise error
    findings.append(str(error))


def renew_addresses(case: Case) -> int:
    """Draws new picture addresses for a case and writes them into its tasks; the old ones stop working.

    Returns:
        How many tasks were changed.
    """
    pictures = pictures_by_index(case)
    records = list(LabelingTask.objects.filter(case=case, project__is_retired=False).select_related("project"))
    found = _in_label_studio(records[0].project, records) if records else {}
    tasks = [task for task in records if task.label_studio_id in found]
    for task in tasks:
        _renew(case, task, pictures[task.slice_index], there=found[task.label_studio_id] or {})
    return len(tasks)


def show_addresses(case: Case) -> int:
    """Writes the addresses that a case's pictures have now into those of its tasks that show others.

    Returns:
        How many tasks the case has in Label Studio.

    Raises:
        TryAgain: Label Studio does not answer.
    """
    records = list(LabelingTask.objects.filter(case=case, project__is_retired=False).select_related("project"))
    found = _in_label_studio(records[0].project, records) if records else {}
    living = [task for task in records if task.label_studio_id in found]
    if living:
        _bring_up_to_date(living[0].project, living, found)
    return len(living)


def _renew(case: Case, task: LabelingTask, pair: dict[str, Slice], *, there: Mapping[str, Any]) -> None:
    """New addresses for one task. Label Studio has them first: where ours then cannot be written, the same command or
    the next publication puts both right, and until Label Studio answers the old ones work."""
    for picture in pair.values():
        picture.renew_token()
    data = task_data(case, task.slice_index, pair, state=task.mirrored_state, comment=task.mirrored_comment)
    write_task(task, data, there=there.get("data", {}))
    with transaction.atomic():
        for picture in pair.values():
            picture.save()


def _in_label_studio(
    project: LabelingProject, records: Sequence[LabelingTask], *, fields: Fields = "task_only"
) -> dict[int, dict[str, Any] | None]:
    """Our tasks that Label Studio still has, by their number there; None where it fails at one."""
    numbers = [record.label_studio_id for record in records if record.label_studio_id]
    found: dict[int, dict[str, Any] | None] = {}
    for task in found_among(project, numbers, fields=fields):
        if isinstance(task, Unreadable):
            found[task.label_studio_id] = None
        else:
            found[task["id"]] = dict(sound(task))
    return found


def _bring_up_to_date(
    project: LabelingProject, tasks: Sequence[LabelingTask], found: Mapping[int, dict[str, Any] | None]
) -> None:
    """Gives tasks the data that they should have by now, as `watch` does, but for those at which Label Studio fails."""
    rows = {number: row for number, row in found.items() if row is not None}
    bring_up_to_date(project, [task for task in tasks if task.label_studio_id in rows], rows)


def _import(project: LabelingProject, case: Case, contents: dict[int, dict[str, Any]]) -> dict[int, int]:
    """Makes tasks; returns the id of each slice's task."""
    bodies = [{"data": data, "meta": {"case": case.code, "slice": index}} for index, data in contents.items()]
    path = f"/api/projects/{project.label_studio_id}/import"
    answer = call("POST", path, params={"return_task_ids": "true"}, json=bodies)
    numbers = record_of(answer, task_ids=list)["task_ids"]
    known = sound_rows_of([{"id": number} for number in numbers], id=int)[0]
    if len(numbers) != len(contents) or len({row["id"] for row in known}) != len(contents):
        raise unreadable("another count of tasks than were to be made")
    return dict(zip(contents, numbers, strict=True))


def keep_tasks(
    project: LabelingProject, case: Case, identifiers: dict[int, int], digests: Mapping[int, str] | None = None
) -> None:
    """Records tasks that were made; a slice whose task was deleted in Label Studio keeps its state and annotations.

    Args:
        project: Theirs.
        case: Theirs.
        identifiers: Label Studio's number of each slice's task.
        digests: Of the data that each task was made with, as `digest_of_data` gives it; None where nobody knows.
    """
    with transaction.atomic():
        mark_former_tasks(project, case, identifiers)
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
        states_outdated.send(sender=LabelingTask, case_code=case.code)
