"""Label Studio's exports (JSON and JSON-MIN), of our projects and of others: task by task, with its saves.

Nothing of a task's addresses, file names or people's names is kept; a task is known by its number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotation_backend.labeling.exchange.export_rows import (
    annotation_of_row,
    counted,
    is_said,
    readable,
    texts_of,
    whole_number,
    with_labels,
)
from annotation_backend.labeling.exchange.json_elements import NO_JSON, json_elements
from annotation_backend.labeling.exchange.picture_corners import Corners, corners_from
from annotation_backend.labeling.masks.regions import Region
from datasets.errors import RejectedInput
from datasets.gate import opened

_NO_MOMENT = datetime.min.replace(tzinfo=UTC)
_FIRST_SECOND, _FIRST_MILLISECOND, _LAST_MILLISECOND = 10**8, 10**11, 10**14
"""Moments as numbers: seconds since 1970 up to the year 5138, milliseconds from 1973 on."""

_OTHER_FORMS = (
    (b"PK", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
    (b"<", "XML or a page"),
    (b"id,", "a table (CSV)"),
    (b"id\t", "a table (TSV)"),
)
_CODE = re.compile(r"(?!task-|volume$|unnamed-)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class ExportedSave:
    """One annotation of an export that was not cancelled.

    Args:
        identifier: Its number, or None.
        annotator: The annotator's number, or None.
        moment: When it was saved last, and its number, to be compared.
        regions: Its result.
        is_dated: Whether it says when it was saved.
        is_by_somebody: Whether it names an annotator who has no number: such annotators cannot be told apart.
    """

    identifier: int | None
    annotator: int | None
    moment: tuple[datetime, int]
    regions: Sequence[Region]
    is_dated: bool = True
    is_by_somebody: bool = False


@dataclass(frozen=True)
class ExportedTask:
    """One task of an export.

    Args:
        identifier: Its number, or its place in the export, counted from 1, where it has none.
        case: ``data.case`` where it is a code, something that stands for it where it is none, or None.
        slice_index: ``data.slice``, or None.
        pages: Pictures of the task; 1 where it has no list of them.
        saves: Its annotations, but for the cancelled ones.
        drafts: Unsaved masks, which no export says the content of for sure.
        corners: Where the picture lies, in millimetres, where the task says it.
        is_row: Whether it is one save of a task, as in JSON-MIN, so that its number may come again.
    """

    identifier: int
    case: str | None
    slice_index: int | None
    pages: int
    saves: tuple[ExportedSave, ...]
    drafts: int = 0
    corners: Corners | None = None
    is_row: bool = False

    @property
    def tells_people_apart(self) -> bool:
        """Whether each save has its annotator's number; of a single save it does not matter."""
        nobodys = sum(save.annotator is None for save in self.saves)
        return nobodys < (1 if self.is_row else 2) and not any(save.is_by_somebody for save in self.saves)

    @property
    def newest(self) -> tuple[ExportedSave, ...]:
        """The last save, if there is one."""
        return (max(self.saves, key=lambda save: save.moment),) if self.saves else ()

    @property
    def newest_of_each(self) -> tuple[ExportedSave, ...]:
        """The last save of each annotator."""
        ordered = sorted(self.saves, key=lambda save: save.moment)
        return tuple({save.annotator: save for save in ordered}.values())


def exported_tasks(path: Path) -> Iterator[ExportedTask | RejectedInput]:
    """The tasks of an export, one at a time; one that cannot be read is given as its refusal.

    Raises:
        RejectedInput: The file is no JSON, or no list of tasks (``export-malformed``), or as `opened`.
    """
    with opened(path) as stream:
        begin = stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
        if begin[:1] not in (b"[", b"{"):
            raise _not_an_export(
                next((form for sign, form in _OTHER_FORMS if begin.startswith(sign)), "something else")
            )
        stream.seek(0)
        cases: dict[str, str] = {}
        with closing(json_elements(stream)) as elements:
            for place, task in _numbered(elements, has_list=begin[:1] == b"["):
                _require_no_other_tools(task)
                try:
                    yield _task_from(task, place, cases)
                except RejectedInput as error:
                    yield error


def _numbered(elements: Iterator[Any], *, has_list: bool) -> Iterator[tuple[int, Any]]:
    """The elements with their places, counted from 1."""
    place = 0
    while True:
        try:
            element = next(elements)
        except StopIteration:
            return
        except ValueError as error:
            raise _not_an_export(_broken_form(error, is_second=place == 1 and not has_list)) from error
        place += 1
        yield place, element


def _broken_form(error: ValueError, *, is_second: bool) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "text in another encoding than UTF-8"
    if str(error).endswith(NO_JSON):
        return f"{str(error).removesuffix(NO_JSON)}, which JSON has no word for (null stands for what is missing)"
    return "JSON lines" if is_second else "JSON that is broken or cut"


def _require_no_other_tools(task: object) -> None:
    if isinstance(task, Mapping) and {"images", "categories"} <= task.keys():
        raise _not_an_export("COCO's JSON")


def _task_from(task: object, place: int, cases: dict[str, str]) -> ExportedTask:
    if not isinstance(task, Mapping):
        raise _no_task(place)
    is_short = "annotation_id" in task and "annotations" not in task
    data = task if is_short else task.get("data")
    annotations = _rows_of(task) if is_short else task.get("annotations", task.get("completions", []))
    if not isinstance(data, Mapping) or not isinstance(annotations, list):
        raise _no_task(place)
    if not (is_short or {"annotations", "completions"} & task.keys()) and counted(task.get("total_annotations")):
        raise _no_task(place)  # a listing, which only says how many there are
    pages = max(map(len, texts_of(data)), default=1)
    if is_short and list(texts_of(data)):
        raise RejectedInput(
            "export-pages",
            f"Task {place} has a list of pictures, and a JSON-MIN export does not say which page a mask is on.",
            remedy="Export as JSON.",
        )
    saves = tuple(_saves(annotations, place))
    return ExportedTask(
        identifier=place if (number := counted(task.get("id"))) is None else number,
        case=_case_of(data.get("case"), cases),
        slice_index=counted(data.get("slice")),
        pages=pages,
        saves=saves,
        drafts=_drafts(task, has_saves=bool(saves)),
        corners=corners_from(data.get("corners")),
        is_row=is_short,
    )


def _case_of(value: Any, cases: dict[str, str]) -> str | None:
    """A code as it is; anything else may be a name, and is called by its place among those of the export."""
    number = whole_number(value)
    name = str(value if number is None else number).strip()
    if value is None or not name:
        return None
    return name if _CODE.fullmatch(name) else cases.setdefault(name, f"unnamed-{len(cases) + 1}")


def _rows_of(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The annotation of a JSON-MIN row; none where the row only says that its task has none."""
    annotation = annotation_of_row(task)
    return [annotation] if annotation["result"] or annotation["id"] is not None else []


def _drafts(task: Mapping[str, Any], *, has_saves: bool) -> int:
    """Number of drafts; an empty one on an unsaved slice does not count."""
    drafts = task.get("drafts")
    if not isinstance(drafts, list):
        return 0
    return sum(has_saves or not isinstance(draft, Mapping) or draft.get("result") != [] for draft in drafts)


def _saves(annotations: list[Any], place: int) -> Iterator[ExportedSave]:
    for annotation in annotations:
        if not isinstance(annotation, Mapping):
            raise _no_task(place)
        if not (is_said(annotation.get("was_cancelled")) or is_said(annotation.get("skipped"))):
            yield _save_from(annotation, place)


def _save_from(annotation: Mapping[str, Any], place: int) -> ExportedSave:
    """An annotation's save. An empty result says that nothing is drawn; a missing one is refused."""
    regions = annotation.get("result")
    if regions is None:
        raise _no_result(place)
    if not isinstance(regions, list):
        raise _no_task(place)
    person = annotation.get("completed_by")
    person = person.get("id") if isinstance(person, Mapping) else person
    identifier = counted(annotation.get("id"))
    moment = _moment(annotation.get("updated_at")) or _moment(annotation.get("created_at"))
    return ExportedSave(
        identifier=identifier,
        annotator=counted(person),
        moment=(moment or _NO_MOMENT, identifier or 0),
        regions=with_labels([readable(region) for region in regions]),
        is_dated=moment is not None,
        is_by_somebody=person is not None and counted(person) is None,
    )


def _moment(value: object) -> datetime | None:
    """A moment as text, or as seconds or milliseconds since 1970."""
    number = value if isinstance(value, float) else whole_number(value) or 0
    try:
        if _FIRST_SECOND <= number < _LAST_MILLISECOND:
            return datetime.fromtimestamp(number if number < _FIRST_MILLISECOND else number / 1000, UTC)
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _no_result(place: int) -> RejectedInput:
    return RejectedInput(
        "export-task",
        f"An annotation of task {place} has no result, so that its masks are unknown.",
        remedy="Open the task in Label Studio, submit that annotation again or delete it, and export again.",
    )


def _no_task(place: int) -> RejectedInput:
    return RejectedInput(
        "export-task",
        f"Task {place} is no task of an export: it lacks data or a list of annotations with their results.",
        remedy="Export the project again as JSON.",
    )


def _not_an_export(got: str) -> RejectedInput:
    return RejectedInput(
        "export-malformed",
        f"This is no Label Studio export, which is a JSON list of tasks, but {got}.",
        remedy="Export the project again as JSON (in Label Studio: Export, JSON), and unpack it where it is packed.",
    )
