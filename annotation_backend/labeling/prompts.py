"""Label Studio results: smart points and boxes of a picture to prompts in millimetres."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from datasets.errors import RejectedInput
from datasets.picture_plane import PicturePlane
from training.prompts.prompt import Box, Click, PointMm, Prompts

Region = Mapping[str, Any]

MOST_PROMPTS = 64
"""Each costs the decoder about 20 MB and a person a click."""


def prompts_of(regions: Iterable[Region], *, plane: PicturePlane, index: int) -> Prompts:
    """Smart points and boxes of an interactive request, in millimetres.

    Args:
        regions: The context's result; other kinds of region are passed over.
        plane: The picture's plane.
        index: The slice's index.

    Raises:
        RejectedInput: A point or box that is not on the picture (``prompt-position``) or that was made on a rotated
            picture (``prompt-rotated``).
    """
    clicks: list[Click] = []
    boxes: list[Box] = []
    for region in regions:
        value = region.get("value")
        if not isinstance(value, Mapping) or region.get("type") not in ("keypointlabels", "rectanglelabels"):
            continue
        _refuse_rotation(region, value)
        x, y = _percent(value.get("x")), _percent(value.get("y"))
        if region["type"] == "keypointlabels":
            positive = bool(region.get("is_positive", True))
            clicks.append(Click(_point(plane, index, (x, y)), positive=positive))
        else:
            opposite = (_percent(x + _length(value.get("width"))), _percent(y + _length(value.get("height"))))
            boxes.append(Box(_point(plane, index, (x, y)), _point(plane, index, opposite)))
    if len(clicks) + len(boxes) > MOST_PROMPTS:
        raise RejectedInput(
            "too-many-prompts",
            f"Expected at most {MOST_PROMPTS} prompts at once, got {len(clicks) + len(boxes)}.",
            remedy="Accept or reject the suggestion, then go on.",
        )
    return Prompts(tuple(clicks), tuple(boxes))


def _point(plane: PicturePlane, index: int, percent: tuple[float, float]) -> PointMm:
    x, y, z = (float(value) for value in plane.percent_to_world(percent, index=index))
    return x, y, z


_OVERSHOOT_PERCENT = 1e-3
"""Label Studio's own rounding may put a box's far edge this far past the picture."""


def _percent(value: object) -> float:
    number = _length(value)
    if not -_OVERSHOOT_PERCENT <= number <= 100 + _OVERSHOOT_PERCENT:
        raise _off_picture(f"{number:.4g}")
    return min(max(number, 0.0), 100.0)


def _length(value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _off_picture("no finite number")
    return number


def _off_picture(got: str) -> RejectedInput:
    return RejectedInput(
        "prompt-position",
        f"Expected a position of 0 to 100 percent of the picture, got {got}.",
        remedy="Draw the prompt inside the picture.",
    )


def _refuse_rotation(region: Region, value: Mapping[str, Any]) -> None:
    if region.get("image_rotation") or value.get("rotation"):
        raise RejectedInput(
            "prompt-rotated",
            "Expected a prompt on an upright picture, got a rotated one.",
            remedy="Turn the picture or the box back and draw the prompt again.",
        )
