"""By which columns a person's list of tasks may be chosen and sorted."""

from typing import Any

import pytest

from annotation_backend.labeling.studio_door.columns import are_ones_own

ME = 7


def _filter(column: str, operator: str = "equal", value: Any = 1, **more: Any) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "value": value, "type": "Unknown", **more}


@pytest.mark.parametrize(
    "item",
    [
        *(_filter("id"), _filter("data.case"), _filter("data.tissue type", "contains", "fat")),
        *(_filter("annotators", "contains", ME), _filter("annotators", "not_contains", str(ME))),
        *(_filter("data.state", "equal", "pending"), _filter("data.state", "not_contains", "appr")),
        _filter("id", child_filter=_filter("data.slice")),
    ],
)
def test_ones_own(item: dict[str, Any]) -> None:
    assert are_ones_own([item], [], ME)


@pytest.mark.parametrize(
    "item",
    [
        *(_filter("annotators", "contains", 8), _filter("annotators", "empty", ME), _filter("annotators", "equal", ME)),
        *(_filter("is_labeled"), _filter("draft_exists"), _filter("updated_at"), _filter("completed_at")),
        *(_filter("data.state", "regex", "p"), _filter("data.state", "empty", True), _filter("data.state", "equal", 1)),
        *(_filter("data.state__startswith"), _filter("data.a__b"), _filter("data."), _filter("annotations__id")),
        *({"filter": "data.case", "operator": "equal", "value": 1}, {"filter": None}, {}),
        *(_filter("id", child_filter=_filter("is_labeled")), _filter("data.case", child_filter={"filter": "x"})),
    ],
)
def test_others(item: dict[str, Any]) -> None:
    assert not are_ones_own([_filter("id"), item], [], ME)


@pytest.mark.parametrize(
    ("column", "is_ones_own"),
    [
        *(("tasks:data.order", True), ("-tasks:data.order", True), ("tasks:-id", True), ("inner_id", True)),
        *(("tasks:data.state", False), ("-data.state", False), ("tasks:total_annotations", False), ("", False)),
        *(("tasks:updated_at", False), ("--tasks:id\n", False), ("filter:tasks:id", False), ("data.x__y", False)),
    ],
)
def test_an_order(column: str, is_ones_own: bool) -> None:
    assert are_ones_own([], [column], ME) is is_ones_own
