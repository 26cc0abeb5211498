"""A task's data in Label Studio for a slice of a case, and how it is written there."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Exists, OuterRef

from annotation_backend.cases.models import Case, Registration, Slice, title_of
from annotation_backend.labeling.models import LabelingTask, TaskState
from annotation_backend.labeling.studio.client import call
from datasets.study.protocol import Wanted

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

Pictures = Mapping[str, Slice]
"""The pictures of a slice by role, as `pictures_by_index` gives them."""


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


def pictures_by_index(case: Case) -> dict[int, dict[str, Slice]]:
    """The exported pictures of each slice."""
    pictures: dict[int, dict[str, Slice]] = {}
    moved = Registration.objects.filter(case=OuterRef("case"), role=OuterRef("role"))
    for picture in case.slices.annotate(is_moved=Exists(moved)):
        pictures.setdefault(picture.index, {})[picture.role] = picture
    return pictures


def task_data(
    case: Case, index: int, pictures: Pictures, *, state: str = TaskState.PENDING.value, comment: str = ""
) -> dict[str, Any]:
    """The data of a slice's task: values that the interface shows, and that the tabs filter by."""
    drawn = pictures[case.drawn_role]
    companions = [pictures[role] for role in case.protocol.roles if role in pictures and role != drawn.role]
    windows = _windows(case, companions, drawn)
    beside = " · ".join(_image_name(case, one) for one in companions)
    return {
        "title": f"{case.code} · slice {index}",
        "order": f"{case.patient.code}-{case.code}-{index:04d}",
        "annotated": drawn.url,
        "companion": windows[0][1],
        "companions": [url for _, url in windows],
        "windows": f"On the right: {', '.join(f'{number} {name}' for number, (name, _) in enumerate(windows, 1))}",
        "annotated_sequence": f"Draw here: {_image_name(case, drawn)}",
        "companion_sequence": beside or f"{_image_name(case, drawn)} in other windows",
        "case": case.code,
        "slice": index,
        "tissue_type": case.tissue_type,
        "anatomical_site": case.anatomical_site,
        "stage": STAGE,
        "state": state,
        "review_comment": comment,
    }


def _windows(case: Case, companions: Sequence[Slice], drawn: Slice) -> list[tuple[str, str]]:
    """Name and address of the pictures that an annotator leafs through: the companions, then other windows of all.

    There is always one: Label Studio shows nothing of a task with an empty list.
    """
    first = [(title_of(case, one.role), one.url) for one in companions]
    known = {one.url for one in (*companions, drawn)}
    others = [
        (f"{title_of(case, picture.role)} {name}", url)
        for picture in (drawn, *companions)
        for name, url in picture.urls_in_windows().items()
        if url not in known
    ]
    return [*first, *others] or [(title_of(case, drawn.role), drawn.url)]


def _image_name(case: Case, picture: Slice) -> str:
    """The image's title, what was done about fat, and whether it was moved onto another."""
    words = [title_of(case, picture.role)]
    image = next((one for one in case.protocol.images if one.name == picture.role), None)
    plain = any(finding["code"] == NOT_FAT_SUPPRESSED for finding in case.findings)
    if image is not None and image.fat_suppression is Wanted.REQUIRE and "fat" not in words[0].lower() and not plain:
        words.append("fat-saturated")
    if getattr(picture, "is_moved", False):
        words.append("(registered)")
    return " ".join(words)
