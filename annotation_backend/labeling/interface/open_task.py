"""OpenTask: the annotator of an interactive request, and the mask on the picture that it is about.

Label Studio says neither. It sends the task's drafts, annotations and predictions: the draft that holds a prompt of the
request is the annotator's own, and the newest of drafts and annotations is what they see (a draft is at most five
seconds behind the screen). Before the first draft the annotator is unknown.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.utils.dateparse import parse_datetime
from numpy.typing import NDArray

from annotation_backend.accounts.models import User
from annotation_backend.labeling.masks.controls import MaskFormat
from annotation_backend.labeling.masks.regions import Region, mask_of
from datasets.pictures.picture_plane import PicturePlane

_FORMATS = {"brushlabels": MaskFormat.BRUSH, "bitmasklabels": MaskFormat.BITMASK}


@dataclass(frozen=True, eq=False)
class Part:
    """One region of the label that prompts draw, on the open slice.

    Args:
        mask: Boolean (height, width).
        mask_format: How it is written; the editor's picture breaks where a region comes back in the other format.
    """

    mask: NDArray[np.bool_]
    mask_format: MaskFormat


@dataclass(frozen=True, eq=False)
class OpenTask:
    """The annotator and the mask of a request's task.

    Args:
        person: The annotator who prompts, as far as a draft tells.
        mask: Boolean (height, width): the label that prompts draw, as saved last or as predicted.
        parts: The regions that make it up, by id.
        saved: When a person saved the mask; None for a prediction, or no mask.
    """

    person: User | None
    mask: NDArray[np.bool_]
    parts: Mapping[str, Part]
    saved: datetime | None


def read_open_task(task: Mapping[str, Any], plane: PicturePlane, *, asking: Collection[str], label: str) -> OpenTask:
    """Reads the task of an interactive request.

    Args:
        task: As Label Studio sends it, with drafts, annotations and predictions.
        plane: How its picture lies.
        asking: Ids of the prompts that the request is about.
        label: The label that prompts draw.
    """
    drafts = _rows(task.get("drafts"))
    own = next((draft for draft in drafts if _ids(draft) & set(asking)), None) or _newest(drafts)
    saves = [row for row in _rows(task.get("annotations")) if not row.get("was_cancelled")]
    shown = _newest([*([own] if own else []), *saves])
    saved = _time(shown) if shown else None
    shown = shown or _newest(_rows(task.get("predictions"))) or {}
    parts = {
        str(region["id"]): _part(region, plane, label)
        for region in _regions(shown)
        if region.get("type") in tuple(_FORMATS) and region.get("id") and _is_of(label, region)
    }
    mask = np.zeros(plane.shape, dtype=bool)
    for part in parts.values():
        mask |= part.mask
    return OpenTask(_person(own), mask, parts, saved)


def _part(region: Region, plane: PicturePlane, label: str) -> Part:
    pixels = mask_of([region], height=plane.height, width=plane.width, label=label).pixels
    return Part(pixels, _FORMATS[region["type"]])


def _person(draft: Mapping[str, Any] | None) -> User | None:
    email = draft.get("user") if draft else None
    if not isinstance(email, str) or not email or not email.isprintable():
        return None
    return User.objects.filter(email__iexact=email).first()


def _is_of(label: str, region: Region) -> bool:
    value = region.get("value")
    labels = value.get(region["type"]) if isinstance(value, Mapping) else None
    return isinstance(labels, list) and label in labels


def _rows(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; older versions send bare ids."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _regions(row: Mapping[str, Any]) -> list[Region]:
    return _rows(row.get("result"))


def _ids(row: Mapping[str, Any]) -> set[object]:
    return {region.get("id") for region in _regions(row) if isinstance(region.get("id"), str)}


def _newest(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    dated = [(moment, at) for at, row in enumerate(rows) if (moment := _time(row)) is not None]
    return rows[max(dated)[1]] if dated else None


def _time(row: Mapping[str, Any]) -> datetime | None:
    value = row.get("updated_at") or row.get("created_at")
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
