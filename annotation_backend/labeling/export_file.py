"""Label Studio's exports (JSON and JSON-MIN), of our tasks and of strangers': task by task, with what was drawn.

Nothing of a task's addresses, file names or people's names is kept; a task is known by its number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotation_backend.labeling.json_elements import json_elements
from annotation_backend.labeling.regions import Region
from datasets.errors import RejectedInput
from datasets.gate import opened

_NO_MOMENT = datetime.min.replace(tzinfo=UTC)
_LARGEST_NUMBER = 1 << 53
_TWINS = {"rle": ("brush", "brushlabels"), "imageDataURL": ("bitmask", "bitmasklabels")}
_UNNAMED = "Mask"
"""The label of masks that were drawn without one."""


@dataclass(frozen=True)
class Save:
    """One annotation that was not cancelled.

    Args:
        identifier: Its number, or None.
        annotator: The number of who drew, or None.
        moment: When it was saved last, and its number, to be compared.
        regions: Its result.
    """

    identifier: int | None
    annotator: int | None
    moment: tuple[datetime, int]
    regions: Sequence[Region]


@dataclass(frozen=True)
class ExportedTask:
    """One task.

    Args:
        identifier: Its number, or its place in the export, counted from 1, where it has none.
        case: ``data.case``, or None.
        slice_index: ``data.slice``, or None.
        pages: Pictures of the task; 1 where it has no list of them.
        saves: Its annotations, but for the cancelled ones.
    """

    identifier: int
    case: str | None
    slice_index: int | None
    pages: int
    saves: tuple[Save, ...]

    @property
    def newest(self) -> tuple[Save, ...]:
        """The last save, if there is one."""
        return (max(self.saves, key=lambda save: save.moment),) if self.saves else ()

    @property
    def newest_of_each(self) -> tuple[Save, ...]:
        """The last save of each annotator."""
        ordered = sorted(self.saves, key=lambda save: save.moment)
        return tuple({save.annotator: save for save in ordered}.values())


def exported_tasks(path: Path) -> Iterator[ExportedTask | RejectedInput]:
    """The tasks of an export, one at a time; one that cannot be read is given as its refusal.

    Raises:
        RejectedInput: The file is no JSON, or no list of tasks (``export-malformed``), or as `opened`.
    """
    with opened(path) as stream:
        if stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"[", b"{"):
            raise _not_an_export("something else")
        stream.seek(0)
        tasks = enumerate(json_elements(stream), start=1)
        while True:
            try:
                place, task = next(tasks)
            except StopIteration:
                return
            except ValueError as error:
                raise _not_an_export("JSON that is broken or cut") from error
            try:
                yield _task_from(task, place)
            except RejectedInput as error:
                yield error


def _task_from(task: object, place: int) -> ExportedTask:
    if not isinstance(task, Mapping):
        raise _no_task(place)
    is_short = "annotation_id" in task and "annotations" not in task
    data = task if is_short else task.get("data")
    annotations = [_from_short(task)] if is_short else task.get("annotations", [])
    if not isinstance(data, Mapping) or not isinstance(annotations, list):
        raise _no_task(place)
    lists = [value for value in data.values() if isinstance(value, list) and value and isinstance(value[0], str)]
    if is_short and lists:
        raise RejectedInput(
            "export-pages",
            f"Expected task {place} of a JSON-MIN export to have one picture, got a list: such an export does not say "
            "which page a mask is on.",
            remedy="Export as JSON.",
        )
    case = data.get("case")
    return ExportedTask(
        identifier=place if (number := _number(task.get("id"))) is None else number,
        case=case if isinstance(case, str) else None,
        slice_index=_number(data.get("slice")),
        pages=max(map(len, lists), default=1),
        saves=tuple(_saves(annotations, place)),
    )


def _saves(annotations: list[Any], place: int) -> Iterator[Save]:
    for annotation in annotations:
        if not isinstance(annotation, Mapping):
            raise _no_task(place)
        if annotation.get("was_cancelled") or annotation.get("skipped"):
            continue
        regions = annotation.get("result") or []
        if not isinstance(regions, list):
            raise _no_task(place)
        person = annotation.get("completed_by")
        identifier = _number(annotation.get("id"))
        moment = _moment(annotation.get("updated_at")) or _moment(annotation.get("created_at")) or _NO_MOMENT
        yield Save(
            identifier=identifier,
            annotator=_number(person.get("id") if isinstance(person, Mapping) else person),
            moment=(moment, identifier or 0),
            regions=_with_labels(regions),
        )


def _from_short(task: Mapping[str, Any]) -> dict[str, Any]:
    """The annotation of a JSON-MIN row, whose regions lie under their controls' names and without their type."""
    regions = []
    for value in task.values():
        for region in value if isinstance(value, list) else ():
            kind = next((kind for _, kind in _TWINS.values() if isinstance(region, Mapping) and kind in region), None)
            if kind:
                size = {key: region[key] for key in ("original_width", "original_height") if key in region}
                regions.append({"type": kind, "value": region, **size})
    identifier, person = task.get("annotation_id"), task.get("annotator")
    return {
        "id": identifier,
        "completed_by": person,
        "result": regions,
        **{key: task.get(key) for key in ("updated_at", "created_at")},
    }


def _with_labels(regions: list[Any]) -> list[Any]:
    """Masks of bare Brush and Bitmask tags as those with labels; their names come from a region of the same id."""
    named = {str(each.get("id")) for each in regions if isinstance(each, Mapping) and each.get("type") == "labels"}
    found = []
    for region in regions:
        value = region.get("value") if isinstance(region, Mapping) else None
        content = next((key for key in _TWINS if isinstance(value, Mapping) and key in value), None)
        if content is None or value is None:
            found.append(region)
            continue
        bare, labelled = _TWINS[content]
        if region.get("type") == "labels":
            region = {**region, "type": labelled, "value": {**value, labelled: value.get("labels")}}
        elif region.get("type") == bare:
            if str(region.get("id")) in named:
                continue
            region = {**region, "type": labelled, "value": {**value, labelled: [_UNNAMED]}}
        found.append(region)
    return found


def _number(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_NUMBER
    return int(value) if is_number and isinstance(value, int) else None


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _no_task(place: int) -> RejectedInput:
    return RejectedInput(
        "export-task",
        f"Expected task {place} to have data and a list of annotations with their results, got something else.",
        remedy="Export the project again as JSON.",
    )


def _not_an_export(got: str) -> RejectedInput:
    return RejectedInput(
        "export-malformed",
        f"Expected a Label Studio export, a JSON list of tasks, got {got}.",
        remedy="Export the project again as JSON.",
    )
