"""The shape of Label Studio's answers, checked where they are read: another shape is a named refusal of that answer."""

from collections.abc import Mapping
from typing import Any

from annotation_backend.labeling.client import unreadable


def record_of(answer: object, **kinds: type) -> dict[str, Any]:
    """An answer that is an object with these fields.

    Args:
        answer: What Label Studio answered.
        kinds: Name and kind of each field that is read; others may be there.

    Raises:
        TryAgain: It is none (``label-studio-answer``).
    """
    if not isinstance(answer, Mapping):
        raise unreadable("something else than an object")
    for name, kind in kinds.items():
        value = answer.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise unreadable(f"an object without a sound {name!r}")
    return dict(answer)


def rows_of(answer: object, **kinds: type) -> list[dict[str, Any]]:
    """An answer that is a list of objects with these fields.

    Args:
        answer: What Label Studio answered.
        kinds: As for `record_of`, of each object.

    Raises:
        TryAgain: It is none (``label-studio-answer``).
    """
    if not isinstance(answer, list):
        raise unreadable("something else than a list")
    return [record_of(row, **kinds) for row in answer]
