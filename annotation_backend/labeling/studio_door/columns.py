"""By what a person's list of tasks may be chosen and sorted: by the tasks' own data, and by what they drew themself.

Which of one's own tasks come in a list, and in which order, would tell what others drew there, or when. It is asked of
what Label Studio has read from an address, a body or a tab, never of their text: that can be spelled in many ways.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

STATE = "data.state"
"""Compared with what the person is shown of it (`lists`)."""

ALIKE, WITHIN = {"equal": True, "not_equal": False}, {"contains": True, "not_contains": False}
"""How a state may be compared: Label Studio's words, and whether it is to be so."""

_FREE = frozenset({"id", "inner_id", "created_at"})
_OF_THE_DATA = re.compile(r"data\.(?!.*__)[\w -]{1,80}")
_FILTER = "filter:tasks:"
_SORTED = re.compile(r"-?(?:tasks:)?-?(?P<column>.*)", re.DOTALL)


def are_ones_own(items: Iterable[Mapping[str, Any]], ordering: Iterable[str], person: int) -> bool:
    """Whether filters and an order tell nothing of other people's work.

    Args:
        items: Filters in Label Studio's form.
        ordering: Columns, with a sign where it is downwards.
        person: Label Studio's number of who asks.
    """
    return all(_is_ones_own(item, person) for item in items) and all(map(_sorts, ordering))


def _is_ones_own(item: Mapping[str, Any], person: int) -> bool:
    child = item.get("child_filter")
    if child and not _is_ones_own(child, person):
        return False
    name = str(item.get("filter"))
    column, operator, value = name.removeprefix(_FILTER), item.get("operator"), item.get("value")
    if not name.startswith(_FILTER):
        return False
    if column == "annotators":
        return operator in WITHIN and str(value) == str(person)
    if column == STATE:
        return operator in (*ALIKE, *WITHIN) and isinstance(value, str)
    return _is_free(column)


def _sorts(column: object) -> bool:
    found = _SORTED.fullmatch(str(column))
    return found is not None and found["column"] != STATE and _is_free(found["column"])


def _is_free(column: str) -> bool:
    return column in _FREE or _OF_THE_DATA.fullmatch(column) is not None
