"""A task's data in Label Studio for a slice of a case, and how it is written there."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from annotation_backend.cases.models import Case, Slice
from annotation_backend.labeling.models import LabelingTask, TaskState
from annotation_backend.labeling.studio.client import call
from datasets.study.case import SeriesRole

NOT_FAT_SUPPRESSED = "t2-not-fat-suppressed"
"""Code of the finding that a case's T2 shows no sign of fat suppression."""
STAGE = "annotation"
"""Value of ``stage`` in every task's data; how far a task is says its ``state``."""

OUR_KEYS = frozenset(
    (
        *("title", "order", "annotated", "companion", "companions", "windows", "annotated_sequence"),
        *("companion_sequence", "case", "slice", "tissue_type", "anatomical_site", "stage", "state", "review_comment"),
    )
)

Pictures = Mapping[SeriesRole, Slice]


def digest_of(value: object) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def digest_of_data(data: Mapping[str, Any]) -> str:
    """SHA-256 of our part of a task's data; a site may keep more in it, which our interface does not show."""
    return digest_of({key: value for key, value in data.items() if key in OUR_KEYS})


def write_task(task: LabelingTask, data: Mapping[str, Any], *, there: Mapping[str, Any]) -> None:
    """Gives a task its data in Label Studio; until that is done, the old data and the new both count as ours.

    Args:
        task: Our record of the task.
        data: The data that it is to have.
        there: The data that Label Studio has; a site's own keys in it stay.

    Raises:
        TryAgain: Label Studio does not answer; it has the old data or the new.
    """
    row, new = LabelingTask.objects.filter(pk=task.pk), digest_of_data(data)
    data = {**{key: value for key, value in there.items() if key not in OUR_KEYS}, **data}
    known: list[str] = row.values_list("written", flat=True).first() or []
    row.update(written=[*known[-1:], new])
    call("PATCH", f"/api/tasks/{task.label_studio_id}/", json={"data": data})
    row.update(written=[new])


def pictures_by_index(case: Case) -> dict[int, dict[SeriesRole, Slice]]:
    """The exported pictures of each slice."""
    pictures: dict[int, dict[SeriesRole, Slice]] = {}
    for picture in case.slices.all():
        pictures.setdefault(picture.index, {})[SeriesRole(picture.role)] = picture
    return pictures


def task_data(
    case: Case, index: int, pair: Pictures, *, state: str = TaskState.PENDING.value, comment: str = ""
) -> dict[str, Any]:
    """The data of a slice's task: values that the interface shows, and that the tabs filter by."""
    annotated = case.annotated_role
    companion = SeriesRole.T1 if annotated is SeriesRole.T2 else SeriesRole.T2
    windows = _windows(pair[companion], pair[annotated])
    return {
        "title": f"{case.code} · slice {index}",
        "order": f"{case.patient.code}-{case.code}-{index:04d}",
        "annotated": pair[annotated].url,
        "companion": pair[companion].url,
        "companions": [url for _, url in windows],
        "windows": f"On the right: {', '.join(f'{number} {name}' for number, (name, _) in enumerate(windows, 1))}",
        "annotated_sequence": f"Draw here: {_sequence_name(case, annotated)}",
        "companion_sequence": _sequence_name(case, companion),
        "case": case.code,
        "slice": index,
        "tissue_type": case.tissue_type,
        "anatomical_site": case.anatomical_site,
        "stage": STAGE,
        "state": state,
        "review_comment": comment,
    }


def _windows(companion: Slice, annotated: Slice) -> list[tuple[str, str]]:
    """Name and address of the pictures that an annotator leafs through: the companion, then other windows of both."""
    of_companion, of_annotated = companion.urls_in_windows(), annotated.urls_in_windows()
    first = [(companion.role.upper(), companion.url)]
    others = [
        (f"{picture.role.upper()} {name}", url)
        for picture, urls in ((annotated, of_annotated), (companion, of_companion))
        for name, url in urls.items()
        if url not in (companion.url, annotated.url)
    ]
    return first + others


def _sequence_name(case: Case, role: SeriesRole) -> str:
    if role is SeriesRole.T1:
        return "T1 (registered)"
    plain = any(finding["code"] == NOT_FAT_SUPPRESSED for finding in case.findings)
    return "T2" if plain else "T2 fat-saturated"
