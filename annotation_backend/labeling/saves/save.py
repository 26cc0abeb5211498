"""A save as Label Studio sends it, read and checked before anything is stored."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from annotation_backend.labeling.models import number_of
from datasets.errors import RejectedInput
from datasets.files import canonical_json, sha256_of_bytes

LARGEST_ID = 2**31 - 1
"""What the database keeps as a whole number; Label Studio gives none larger."""

_NO_SLICE = -1
"""Stands for a slice that a task names but that cannot be ours, so that its number alone is not trusted."""

_REPLACED = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Save:
    """One save of one annotation, as Label Studio describes it.

    Args:
        identifier: Label Studio's number of the annotation.
        task: Label Studio's number of the task.
        project: Label Studio's number of the project.
        completed_by: Label Studio's number of the person who made it, 0 where it does not say.
        updated_by: Label Studio's number of the person who changed it last, 0 where it does not say.
        saved_at: Label Studio's time of the save.
        was_cancelled: Whether the task was skipped.
        content_sha256: Digest of regions and time, equal whether the save came by webhook or by poll.
        raw: The whole body, as it is stored.
        place: Code of the case and index of the slice that the task said it shows, where it was sent along.
        made_at: Label Studio's time of the annotation's first save, where it says.
    """

    identifier: int
    task: int
    project: int
    completed_by: int
    updated_by: int
    saved_at: datetime
    was_cancelled: bool
    content_sha256: str
    raw: dict[str, Any]
    place: tuple[str, int] | None = None
    made_at: datetime | None = None

    @property
    def people(self) -> tuple[int, int]:
        """Numbers of the person who made it and of the one who changed it last."""
        return self.completed_by, self.updated_by


def read_save(body: object, *, project: object = None, task: object = None) -> Save:
    """Reads one annotation of a webhook or of an answer.

    Args:
        body: The annotation.
        project: The project that came beside it, where the annotation names none.
        task: The task that came beside it.

    Raises:
        RejectedInput: Fields that a save has are missing or of another kind (``save-malformed``).
    """
    if not isinstance(body, Mapping):
        raise malformed("an annotation")
    body = _whole(body)
    result = body.get("result")
    if not isinstance(result, list) or not all(isinstance(region, Mapping) for region in result):
        raise malformed("a list of regions")
    saved_at, was_cancelled = _moment(body.get("updated_at")), bool(body.get("was_cancelled"))
    saved_in = whole(number_of(body.get("project")) or number_of(project))
    return Save(
        identifier=whole(body.get("id")),
        task=whole(number_of(body.get("task"))),
        project=saved_in,
        completed_by=_person(body.get("completed_by")),
        updated_by=_person(body.get("updated_by")),
        saved_at=saved_at,
        was_cancelled=was_cancelled,
        content_sha256=digest_of_save(body, saved_at=saved_at),
        raw={**body, "project": saved_in},
        place=place_of(task),
        made_at=_moment(body["created_at"]) if body.get("created_at") is not None else None,
    )


def digest_of_save(body: Mapping[str, Any], *, saved_at: datetime) -> str:
    """Digest of a save's regions and time.

    Raises:
        RejectedInput: It holds what no JSON holds (``save-malformed``).
    """
    was_cancelled = bool(body.get("was_cancelled"))
    content = {"result": body["result"], "was_cancelled": was_cancelled, "saved_at": saved_at.isoformat()}
    return _digest(content)


def place_of(task: object) -> tuple[str, int] | None:
    """Case and slice that a task of Label Studio says it shows; its number alone may have been another task's."""
    data = task.get("data") if isinstance(task, Mapping) else None
    case, index = (data.get("case"), data.get("slice")) if isinstance(data, Mapping) else (None, None)
    if not isinstance(case, str) or not isinstance(index, int):
        return None
    return str(_storable(case)), index if 0 <= index <= LARGEST_ID else _NO_SLICE


def whole(value: object) -> int:
    """An id.

    Raises:
        RejectedInput: Not a whole number that a database row can have (``save-malformed``).
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_ID:
        raise malformed("a positive whole number as id")
    return value


def malformed(expected: str) -> RejectedInput:
    """The refusal of a body that is no save of Label Studio."""
    return RejectedInput(
        "save-malformed",
        f"The save cannot be read: expected {expected}.",
        remedy="Is it Label Studio 1.23 that sends this?",
    )


def _whole(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as a database takes it; NaN and infinite numbers outside of the regions become null.

    Raises:
        RejectedInput: It is nested deeper than any save is (``save-malformed``).
    """
    try:
        body = dict(_storable(body))
        return {name: value if name == "result" else _finite(value) for name, value in body.items()}
    except RecursionError as error:
        raise malformed("regions that are not nested so deep") from error


def _storable(value: Any) -> Any:
    """The same with NUL and halves of characters replaced: no database takes them, and a mask beside them must stay."""
    if isinstance(value, str):
        return value.replace("\0", _REPLACED).encode("utf-8", "replace").decode() if _is_strange(value) else value
    if isinstance(value, Mapping):
        return {_storable(name): each if name == "rle" else _storable(each) for name, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value


def _finite(value: Any) -> Any:
    """The same without NaN and the infinite, which JSON has not and no database takes."""
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_strange(text: str) -> bool:
    return (not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)) or "\0" in text


def _digest(content: dict[str, object]) -> str:
    try:
        return sha256_of_bytes(canonical_json(content))
    except (ValueError, RecursionError) as error:
        raise malformed("finite numbers and whole characters") from error


def _person(value: object) -> int:
    number = number_of(value)
    known = isinstance(number, int) and not isinstance(number, bool) and 0 < number <= LARGEST_ID
    return int(str(number)) if known else 0


def _moment(value: object) -> datetime:
    """A time in UTC; those of the first and last day that have none there are no time of a save either."""
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
        moment = moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise malformed("a time of the save (updated_at)")
    return moment
