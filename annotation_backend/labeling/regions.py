"""Label Studio results: regions of a picture to masks, and a mask to a region."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation_backend.labeling import brush
from annotation_backend.labeling.config import BRUSH, IMAGE
from datasets.errors import RejectedInput
from datasets.mask import TUMOUR

Region = Mapping[str, Any]


@dataclass(frozen=True)
class DrawnMask:
    """The brush regions of one save, joined; `unreadable` counts regions that could not be read."""

    pixels: NDArray[np.bool_]
    unreadable: int


def mask_of(regions: Iterable[Region], *, height: int, width: int, label: str = TUMOUR) -> DrawnMask:
    """Joins the brush regions of one label; prompts that were never accepted are dropped.

    Args:
        regions: An annotation's result.
        height: Picture height in pixels.
        width: Picture width in pixels.
        label: The brush label to collect.
    """
    pixels = np.zeros((height, width), dtype=bool)
    unreadable = 0
    for region in regions:
        value = region.get("value")
        if region.get("type") != "brushlabels" or not isinstance(value, Mapping):
            continue
        labels = value.get("brushlabels")
        if isinstance(labels, list) and label not in labels:
            continue
        try:
            pixels |= brush.decode(value.get("rle") if isinstance(labels, list) else [], height=height, width=width)
        except RejectedInput:
            unreadable += 1
    return DrawnMask(pixels, unreadable)


def region_of(mask: NDArray[np.bool_], *, region_id: str, score: float | None) -> dict[str, Any]:
    """A mask in picture orientation (height, width) as a brush region on the annotated picture."""
    height, width = mask.shape
    region: dict[str, Any] = {
        "id": region_id,
        "type": "brushlabels",
        "from_name": BRUSH,
        "to_name": IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": brush.encode(mask), "brushlabels": [TUMOUR]},
    }
    if score is not None:
        region["score"] = score
    return region
