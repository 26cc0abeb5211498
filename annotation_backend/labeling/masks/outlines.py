"""Outlines of masks on a slice's picture."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]

ORANGE: Colour = (232, 89, 12)
BLUE: Colour = (51, 154, 240)
WHITE: Colour = (255, 255, 255)

OUTLINE_PIXELS = 2


def colour_of(text: str) -> Colour:
    """Red, green and blue of a colour as protocols write it, ``#rrggbb``."""
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def outlined_png(picture: bytes, outlines: Sequence[tuple[NDArray[np.bool_], Colour]]) -> bytes:
    """PNG bytes of an exported picture with the inner borders of masks in colour; white where borders coincide.

    Args:
        picture: The bytes of an 8-bit grey PNG of the case's export.
        outlines: Masks (height, width) of the picture's size, each with its colour.
    """
    with Image.open(io.BytesIO(picture)) as source:
        pixels = np.array(source.convert("RGB"))
    drawn = np.zeros(pixels.shape[:2], dtype=np.uint8)
    for inside, colour in outlines:
        border = _border(inside)
        pixels[border] = colour
        drawn += border
    pixels[drawn > 1] = WHITE
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _border(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels inside that have a pixel outside within `OUTLINE_PIXELS` steps along rows and columns."""
    core = inside
    for _ in range(OUTLINE_PIXELS):
        padded = np.pad(core, 1)
        core = core & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(inside & ~core)
