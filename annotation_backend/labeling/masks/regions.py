"""Label Studio results: regions of a picture to masks, and a mask to a region."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation_backend.labeling.masks import bitmask, brush
from annotation_backend.labeling.masks.controls import BITMASK, BRUSH, IMAGE
from annotation_backend.labeling.masks.controls import MaskFormat as MaskFormat
from datasets.errors import RejectedInput
from datasets.image.mask import TUMOUR

Region = Mapping[str, Any]
Decode = Callable[..., NDArray[np.bool_]]


@dataclass(frozen=True)
class _Form:
    """Keys of a format's labels and mask, and the control that draws it."""

    type: str
    content: str
    control: str
    decode: Decode


_FORMS = {
    MaskFormat.BRUSH: _Form("brushlabels", "rle", BRUSH, brush.decode),
    MaskFormat.BITMASK: _Form("bitmasklabels", "imageDataURL", BITMASK, bitmask.decode),
}
_FORM_OF_TYPE = {form.type: form for form in _FORMS.values()}

MASK_TYPES = tuple(_FORM_OF_TYPE)
"""The types of regions that hold a mask."""


@dataclass(frozen=True, eq=False)
class DrawnMask:
    """The mask regions of one label of a save, joined; `unreadable` counts regions that could not be read."""

    pixels: NDArray[np.bool_]
    unreadable: int
    regions: int = 0


@dataclass(frozen=True, eq=False)
class DrawnMasks:
    """The mask regions of one save.

    Args:
        pixels: The joined pixels, boolean (height, width), by label.
        regions: Number of regions that were joined, by label.
        refusals: Why each region that could not be read was left out, in the order of the regions.
        blank: Number of regions without any pixel.
    """

    pixels: Mapping[str, NDArray[np.bool_]]
    regions: Mapping[str, int]
    refusals: tuple[RejectedInput, ...]
    blank: int = 0

    @property
    def unreadable(self) -> int:
        """Number of regions that could not be read."""
        return len(self.refusals)


def drawn_masks(
    regions: Iterable[Region],
    *,
    height: int,
    width: int,
    labels: Collection[str] | None = (TUMOUR,),
    picture: str | None = IMAGE,
) -> DrawnMasks:
    """Joins the brush and bitmask regions of each label; prompts that were never accepted are dropped.

    A region that cannot be read is left out and its refusal kept: ``brush-code``, ``bitmask-code``, ``region-faint``,
    ``region-malformed`` (no mapping), ``region-label`` (no names), ``region-size`` and ``region-rotated`` (drawn
    on a picture of another size, or on a turned one: nothing is resampled), ``region-picture`` (on another picture).

    Args:
        regions: An annotation's result.
        height: Picture height in pixels.
        width: Picture width in pixels.
        labels: The labels to collect, each of them in the answer; None for those that occur.
        picture: Name of the image that annotators draw on; None for any.
    """
    pixels: dict[str, NDArray[np.bool_]] = {label: np.zeros((height, width), np.bool_) for label in labels or ()}
    counts = dict.fromkeys(pixels, 0)
    refusals: list[RejectedInput] = []
    blank = 0
    for region in regions:
        try:
            wanted = [label for label in _labels_of(region) if labels is None or label in labels]
            if not wanted:
                continue
            _require_own_picture(region, height=height, width=width, picture=picture)
            form = _FORM_OF_TYPE[region["type"]]
            mask = form.decode(region["value"].get(form.content), height=height, width=width)
        except RejectedInput as error:
            refusals.append(error)
            continue
        blank += not mask.any()
        for label in wanted:
            pixels[label] = pixels[label] | mask if label in pixels else mask
            counts[label] = counts.get(label, 0) + 1
    return DrawnMasks(pixels, counts, tuple(refusals), blank)


def mask_of(regions: Iterable[Region], *, height: int, width: int, label: str = TUMOUR) -> DrawnMask:
    """One label of `drawn_masks`.

    Args:
        regions: An annotation's result.
        height: Picture height in pixels.
        width: Picture width in pixels.
        label: The label to collect.
    """
    drawn = drawn_masks(regions, height=height, width=width, labels=(label,))
    return DrawnMask(drawn.pixels[label], drawn.unreadable, drawn.regions[label])


def region_of(
    mask: NDArray[np.bool_],
    *,
    region_id: str,
    score: float | None,
    label: str = TUMOUR,
    mask_format: MaskFormat = MaskFormat.BRUSH,
) -> dict[str, Any]:
    """A mask in picture orientation (height, width) as a region on the annotated picture."""
    height, width = mask.shape
    form = _FORMS[mask_format]
    region: dict[str, Any] = {
        "id": region_id,
        "type": form.type,
        "from_name": form.control,
        "to_name": IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {**_content_of(mask, mask_format), form.type: [label]},
    }
    if score is not None:
        region["score"] = score
    return region


def _content_of(mask: NDArray[np.bool_], mask_format: MaskFormat) -> dict[str, Any]:
    if mask_format is MaskFormat.BITMASK:
        return {"imageDataURL": bitmask.encode(mask)}
    return {"format": "rle", "rle": brush.encode(mask)}


def _labels_of(region: Region) -> Iterator[str]:
    """The labels of a mask region, each once; none of a region of another kind.

    Raises:
        RejectedInput: ``region-malformed`` or ``region-label``.
    """
    if not isinstance(region, Mapping):
        raise _refused("region-malformed", "A region has no named values.")
    form = _FORM_OF_TYPE.get(str(region.get("type")))
    if form is None:
        return iter(())
    value = region.get("value")
    if not isinstance(value, Mapping):
        raise _refused("region-malformed", "A region has no named values.")
    labels = value.get(form.type)
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise _refused("region-label", "A mask region does not name its label.")
    return iter(dict.fromkeys(labels))


def _require_own_picture(region: Region, *, height: int, width: int, picture: str | None) -> None:
    size = (region.get("original_width", width), region.get("original_height", height))
    if size != (width, height):
        shown = " x ".join(str(side) if isinstance(side, int) and abs(side) < 1 << 31 else "?" for side in size)
        raise _refused("region-size", f"Expected a mask drawn on a picture of {width} x {height} pixels, got {shown}.")
    if region.get("image_rotation"):
        raise _refused("region-rotated", "The mask was drawn on a rotated picture.")
    if region.get("item_index") or region.get("to_name", picture) != (picture or region.get("to_name")):
        raise _refused("region-picture", "The mask was drawn on another picture than the annotated one.")


def _refused(code: str, message: str) -> RejectedInput:
    return RejectedInput(code, message, remedy="Open the task, draw the mask again there, and submit it.")
