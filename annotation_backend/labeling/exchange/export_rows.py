"""Rows of Label Studio's exports as people's tools write them: the short form, bare masks, numbers as text.

Label Studio itself writes numbers; spreadsheets and scripts between make texts ("12") and decimals (12.0) of them, and
the short form (JSON-MIN) leaves out what a region is.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

_LARGEST_NUMBER = 1 << 53
_DIGITS = re.compile(r"-?[0-9]{1,16}(\.0+)?")
_NOT_SO = frozenset({"", "false", "no", "0", "none", "null"})
_TWINS = {"rle": ("brush", "brushlabels"), "imageDataURL": ("bitmask", "bitmasklabels")}
_SIZES = ("original_width", "original_height")
_UNNAMED = "Mask"
"""The label of masks that were drawn without one."""


def whole_number(value: object) -> int | None:
    """A number that is whole, also as text or with zeros behind its point; None for anything else."""
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip(" ")):
        value = float(value) if "." in value else int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_NUMBER
    return int(value) if is_number and isinstance(value, int) else None


def counted(value: object) -> int | None:
    """A whole number that is not negative."""
    number = whole_number(value)
    return number if number is not None and number >= 0 else None


def is_said(value: object) -> bool:
    """Whether a flag is set, also as text."""
    return value.strip().lower() not in _NOT_SO if isinstance(value, str) else bool(value)


def is_name(text: str) -> bool:
    """Whether every character of a label shows; half characters cannot be written, control characters do not show."""
    return bool(text.strip()) and not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)


def readable(region: Any) -> Any:
    """A region with its numbers as numbers; anything else is returned as it is."""
    if not isinstance(region, Mapping):
        return region
    changed = {key: whole_number(region[key]) for key in (*_SIZES, "item_index", "image_rotation") if key in region}
    return {**region, **{key: number for key, number in changed.items() if number is not None}}


def annotation_of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The annotation of a JSON-MIN row, whose regions lie under their controls' names and without their type."""
    regions = []
    for control, written in row.items():
        content = _unpacked(written)
        for region in content if isinstance(content, list) else [content]:
            kind = _kind_in_row(region)
            if kind is not None:
                size = {key: region[key] for key in (*_SIZES, "id") if key in region}
                regions.append({"type": kind, "from_name": control, "value": region, **size})
    return {
        "id": row.get("annotation_id"),
        "completed_by": row.get("annotator"),
        "result": regions,
        **{key: row.get(key) for key in ("updated_at", "created_at", "was_cancelled", "skipped")},
    }


def _unpacked(content: Any) -> Any:
    """The regions of a control; a table program in between keeps them as text, and a half text is a broken region."""
    if not isinstance(content, str) or not any(f'"{key}"' in content for key in _TWINS):
        return content
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return {"rle": None, _TWINS["rle"][1]: [_UNNAMED]}


def _kind_in_row(region: Any) -> str | None:
    """The type of a region of the short form; None for a value that is no region of a picture."""
    if not isinstance(region, Mapping):
        return None
    content = next((key for key in _TWINS if key in region), None)
    if content is None:
        named = next((key for key in region if isinstance(key, str) and key.endswith("labels")), "unknown")
        return named if _SIZES[0] in region else None
    bare, labelled = _TWINS[content]
    return labelled if labelled in region else "labels" if "labels" in region else bare


def with_labels(regions: list[Any]) -> list[Any]:
    """Masks of bare Brush and Bitmask tags as those with labels.

    Where a project has `<Labels>` beside a bare tag, Label Studio writes each mask twice, with its name and without.
    The two have one id, or, in the short form, only the same pixels.
    """
    named = [region for region in regions if isinstance(region, Mapping) and region.get("type") == "labels"]
    ids = {str(region["id"]) for region in named if region.get("id") is not None}
    contents = [_content_of(region) for region in named]
    return [_labelled(region) for region in regions if not _is_twin(region, ids, contents)]


def _is_twin(region: Any, ids: set[str], contents: list[Any]) -> bool:
    content = _content_of(region)
    is_bare = content is not None and region.get("type") in [bare for bare, _ in _TWINS.values()]
    return is_bare and ((region.get("id") is not None and str(region["id"]) in ids) or content in contents)


def _labelled(region: Any) -> Any:
    value = region.get("value") if isinstance(region, Mapping) else None
    key = next((key for key in _TWINS if isinstance(value, Mapping) and key in value), None)
    if key is None or not isinstance(value, Mapping):
        return region
    bare, labelled = _TWINS[key]
    if region.get("type") == "labels":
        return {**region, "type": labelled, "value": {**value, labelled: value.get("labels")}}
    if region.get("type") == bare:
        return {**region, "type": labelled, "value": {**value, labelled: [_UNNAMED]}}
    return region


def _content_of(region: Any) -> Any:
    value = region.get("value") if isinstance(region, Mapping) else None
    return next((value[key] for key in _TWINS if key in value), None) if isinstance(value, Mapping) else None


def texts_of(values: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The lists of texts among a task's data: the pages of a task that has several."""
    return (value for value in values.values() if isinstance(value, list) and value and isinstance(value[0], str))
