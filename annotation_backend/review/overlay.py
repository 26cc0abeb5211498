"""A slice's picture with the mask drawn as an outline."""

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.mask import Mask
from datasets.nifti import read_mask
from datasets.picture_plane import PicturePlane

OUTLINE_COLOUR = (232, 89, 12)

OUTLINE_PIXELS = 2

MASKS_IN_MEMORY = 4


def outlined_png(picture: Path, mask: Path, *, plane: PicturePlane, index: int) -> bytes:
    """PNG bytes of an exported picture with the mask's inner border in colour.

    Args:
        picture: An 8-bit grey PNG of the case's export.
        mask: NIfTI mask on the case's grid.
        plane: How its slices become pictures.
        index: The slice.
    """
    inside = plane.to_picture(_read(mask).foreground, index)
    with Image.open(picture) as source:
        pixels = np.array(source.convert("RGB"))
    pixels[_border(inside)] = OUTLINE_COLOUR
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@lru_cache(maxsize=MASKS_IN_MEMORY)
def _read(path: Path) -> Mask:
    """Masks never change once written, so their path is a good key."""
    return read_mask(path)


def _border(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels inside that have a pixel outside within `OUTLINE_PIXELS` steps along rows and columns."""
    core = inside
    for _ in range(OUTLINE_PIXELS):
        padded = np.pad(core, 1)
        core = core & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(inside & ~core)
