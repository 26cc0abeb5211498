"""Smart prompts of an interactive request: Label Studio's points and boxes, in millimetres, and their kinds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from annotation_backend.labeling.masks.controls import (
    EXTREME_LABEL,
    EXTREME_POINT,
    IMAGE,
    SESSION,
    SMART_BOX,
    SMART_POINT,
    START_OVER_LABEL,
    UNDO_LABEL,
    box_label,
    extreme_label,
    point_label,
)
from annotation_backend.labeling.masks.regions import Region
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Box, Click, PointMm, Prompts

MOST_PROMPTS = 64
"""Each prompt costs the decoder about 20 MB and a person a click."""

_LONGEST_ID = 64

_KEYPOINT, _RECTANGLE = "keypointlabels", "rectanglelabels"


_Meaning = tuple[PromptKind | SessionCommand, str, str]


def _controls(labels: Sequence[str]) -> Mapping[tuple[str, str], _Meaning]:
    """What a region stands for, by its control and label: prompt or command, the region's type, the label it draws."""
    found: dict[tuple[str, str], _Meaning] = {
        (SESSION, UNDO_LABEL): (SessionCommand.UNDO, _KEYPOINT, ""),
        (SESSION, START_OVER_LABEL): (SessionCommand.START_OVER, _KEYPOINT, ""),
    }
    for number, label in enumerate(labels):
        extreme = extreme_label(label) if number else EXTREME_LABEL
        found[SMART_POINT, point_label(label)] = (PromptKind.POINT, _KEYPOINT, label)
        found[SMART_BOX, box_label(label)] = (PromptKind.BOX, _RECTANGLE, label)
        found[EXTREME_POINT, extreme] = (PromptKind.EXTREME_POINTS, _KEYPOINT, label)
    return found


def read_context(
    regions: Iterable[Region], *, plane: PicturePlane, index: int, labels: Sequence[str]
) -> tuple[SmartPrompt, ...]:
    """The smart prompts of an interactive request; regions that are no points or boxes are passed over.

    Args:
        regions: The context's result.
        plane: The picture's plane.
        index: The slice's index.
        labels: Those that prompts draw, in the protocol's order.

    Raises:
        RejectedInput: A prompt that is not on the picture (``prompt-position``), that was made on a rotated picture
            (``prompt-rotated``) or on another one (``prompt-picture``), of a control or label that is not ours
            (``prompt-control``), or too many of them (``too-many-prompts``).
    """
    pointing = [region for region in regions if region.get("type") in (_KEYPOINT, _RECTANGLE)]
    if len(pointing) > MOST_PROMPTS:
        raise RejectedInput(
            "too-many-prompts",
            f"Expected at most {MOST_PROMPTS} prompts at once, got {len(pointing)}.",
            remedy="Accept or reject the suggestion, then go on.",
        )
    controls = _controls(labels)
    return tuple(_read(region, plane, index, controls=controls) for region in pointing)


def _read(
    region: Region, plane: PicturePlane, index: int, *, controls: Mapping[tuple[str, str], _Meaning]
) -> SmartPrompt:
    value = region.get("value")
    if not isinstance(value, Mapping):
        raise _unknown_control("a region without a value")
    meaning, label = _meaning(region, value, controls)
    _require_picture(region, plane)
    _refuse_rotation(region, value)
    identifier = region.get("id")
    if not isinstance(identifier, str) or not 0 < len(identifier) <= _LONGEST_ID or not identifier.isprintable():
        raise _unknown_control("a region without an id")
    return SmartPrompt(identifier, meaning, _prompts(region, value, meaning, at=(plane, index)), label)


def _meaning(
    region: Region, value: Mapping[str, Any], controls: Mapping[tuple[str, str], _Meaning]
) -> tuple[PromptKind | SessionCommand, str]:
    labels = value.get(region["type"])
    label = labels[0] if isinstance(labels, list) and len(labels) == 1 else None
    control = region.get("from_name")
    if not isinstance(label, str) or not isinstance(control, str) or region.get("to_name") != IMAGE:
        raise _unknown_control("another picture or no label")
    meaning, kind, drawn = controls.get((control, label), (None, "", ""))
    if meaning is None or kind != region["type"]:
        raise _unknown_control("a control or label that is not ours")
    return meaning, drawn


def _prompts(
    region: Region, value: Mapping[str, Any], meaning: PromptKind | SessionCommand, *, at: tuple[PicturePlane, int]
) -> Prompts:
    x, y = _percent(value.get("x")), _percent(value.get("y"))
    point = _point(*at, (x, y))
    if meaning is PromptKind.EXTREME_POINTS:
        return Prompts(extreme_points=(point,))
    if meaning is PromptKind.BOX:
        opposite = (_percent(x + _length(value.get("width"))), _percent(y + _length(value.get("height"))))
        return Prompts(boxes=(Box(point, _point(*at, opposite)),))
    return Prompts(clicks=(Click(point, positive=region.get("is_positive", True) is not False),))


def _require_picture(region: Region, plane: PicturePlane) -> None:
    """Label Studio may leave the size out; one that is there is the picture's."""
    size = (region.get("original_width"), region.get("original_height"))
    if size not in ((None, None), (plane.width, plane.height)) or region.get("item_index") not in (None, 0):
        raise RejectedInput(
            "prompt-picture",
            f"The prompt was made on another picture than this one of {plane.width} x {plane.height} pixels.",
            remedy="Reload the page; if that does not help, publish the case again with `manage.py publish_tasks`.",
        )


def _unknown_control(got: str) -> RejectedInput:
    return RejectedInput(
        "prompt-control",
        f"The prompt is no smart point or box with one of our labels on the annotated picture: {got}.",
        remedy="Was the labelling interface changed in Label Studio? `manage.py publish_tasks` sets it up again.",
    )


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
            "The prompt was drawn on a rotated picture, or its box is rotated.",
            remedy="Turn the picture or the box back and draw the prompt again.",
        )
