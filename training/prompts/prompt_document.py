"""Prompts as plain JSON values, as files and records keep them: points in RAS+ millimetres.

{"extreme_points": [[x, y, z], …], "clicks": [{"point_mm": [x, y, z], "positive": true}, …],
 "boxes": [{"corner_mm": [x, y, z], "opposite_mm": [x, y, z]}, …]}
"""

from typing import Any

from datasets.errors import RejectedInput
from training.prompts.prompt import Box, Click, PointMm, Prompts

_LISTS = ("extreme_points", "clicks", "boxes")
_CLICK, _BOX = ("point_mm", "positive"), ("corner_mm", "opposite_mm")


def as_document(prompts: Prompts) -> dict[str, Any]:
    """Prompts as plain JSON values."""
    return {
        "extreme_points": [list(point) for point in prompts.extreme_points],
        "clicks": [{"point_mm": list(click.point_mm), "positive": click.positive} for click in prompts.clicks],
        "boxes": [{"corner_mm": list(box.corner_mm), "opposite_mm": list(box.opposite_mm)} for box in prompts.boxes],
    }


def from_document(document: Any) -> Prompts:
    """Prompts from plain JSON values; missing lists are empty.

    Raises:
        RejectedInput: The values are not prompts.
    """
    try:
        _require_keys(document, _LISTS)
        points, clicks, boxes = (_listed(document.get(name, [])) for name in _LISTS)
        for names, entries in ((_CLICK, clicks), (_BOX, boxes)):
            for entry in entries:
                _require_keys(entry, names)
        return Prompts(
            clicks=tuple(
                Click(_point(each["point_mm"]), positive=_truth(each.get("positive", True))) for each in clicks
            ),
            boxes=tuple(Box(_point(each["corner_mm"]), _point(each["opposite_mm"])) for each in boxes),
            extreme_points=tuple(_point(each) for each in points),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise RejectedInput(
            "prompt-document",
            f"Prompts must be a JSON object with lists {', '.join(_LISTS)} of points in millimetres.",
            remedy='Write e.g. {"extreme_points": [[x, y, z], …], "clicks": [{"point_mm": [x, y, z], '
            '"positive": true}], "boxes": [{"corner_mm": [x, y, z], "opposite_mm": [x, y, z]}]}.',
        ) from error


def _point(values: Any) -> PointMm:
    x, y, z = (_number(value) for value in _listed(values))
    return x, y, z


def _number(value: Any) -> float:
    """A number; refuses text and booleans, which `float` would accept."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("number")
    return float(value)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError("list")
    return list(value)


def _require_keys(entry: Any, names: tuple[str, ...]) -> None:
    """Refuses unknown keys: a misspelt ``positive`` would invert a click."""
    if not isinstance(entry, dict) or set(entry) - set(names):
        raise ValueError("keys")


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("positive")
    return value
