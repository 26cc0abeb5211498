"""The shape of Label Studio's answers, checked where they are read: another shape is a named refusal of that answer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from annotation_backend.labeling.studio.client import unreadable
from datasets.errors import TryAgain

LARGEST_NUMBER = 2**31 - 1
"""Largest number of Label Studio's that a row of ours holds."""

Row = dict[str, Any]
"""An object of Label Studio's, as its JSON has it."""


def record_of(answer: object, **kinds: type) -> Row:
    """An answer that is an object with these fields.

    Args:
        answer: What Label Studio answered.
        kinds: Name and kind of each field that is read; others may be there.

    Raises:
        TryAgain: The answer has another shape (``label-studio-answer``).
    """
    if not isinstance(answer, Mapping):
        raise unreadable("something else than an object")
    for name, kind in kinds.items():
        value = answer.get(name)
        if not isinstance(value, kind) or (kind is int and not _is_number(value)):
            raise unreadable(f"an object without a sound {name!r}")
    return dict(answer)


def rows_of(answer: object, **kinds: type) -> list[Row]:
    """An answer that is a list of objects with these fields.

    Args:
        answer: What Label Studio answered.
        kinds: As for `record_of`, of each object.

    Raises:
        TryAgain: The answer has another shape (``label-studio-answer``).
    """
    if not isinstance(answer, list):
        raise unreadable("something else than a list")
    return [record_of(row, **kinds) for row in answer]


def sound_rows_of(answer: object, **kinds: type) -> tuple[list[Row], int]:
    """As `rows_of`, where one row of another shape must not cost the others.

    Returns:
        The sound rows, and how many others there are.

    Raises:
        TryAgain: The answer is no list (``label-studio-answer``).
    """
    if not isinstance(answer, list):
        raise unreadable("something else than a list")
    rows = []
    for row in answer:
        try:
            rows.append(record_of(row, **kinds))
        except TryAgain:
            continue
    return rows, len(answer) - len(rows)


def moment_of(value: object) -> datetime | None:
    """A time in UTC; None for anything that is none, or does not say of which zone."""
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def number_in(record: Mapping[str, Any], name: str) -> int | None:
    """The number in a field that may be missing; None for anything that is none."""
    value = record.get(name)
    return int(str(value)) if _is_number(value) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER
