"""Label Studio's bitmasks: a picture's mask to a PNG inside a data URL and back.

The editor writes black pixels on a transparent background; the mask is the alpha channel, so a picture without one says
nothing. The size in its header is compared with the picture's before a pixel is decoded.
"""

import base64
import binascii
import io
import struct

import numpy as np
from numpy.typing import NDArray

from annotation_backend.labeling.masks.brush import inside_of
from datasets.errors import RejectedInput

_PREFIX = "data:image/png;base64,"
_LARGEST_PIXEL_BYTES = 8
_LARGEST_OVERHEAD_BYTES = 1 << 16
_FASTEST_SMALL = 1
_HEADER = struct.Struct(">8sI4sII")
_CHANNELS, _ALPHA = 4, 3
_FILLED = np.uint8(255)


def encode(mask: NDArray[np.bool_]) -> str:
    """A mask in picture orientation as Label Studio's ``value.imageDataURL``: opaque black inside, else transparent.

    Args:
        mask: Boolean (height, width).
    """
    from isal import isal_zlib

    from datasets.pictures.png_encoding import COLOUR_AND_ALPHA, png_around

    height, width = mask.shape
    rows = np.zeros((height, 1 + width * _CHANNELS), dtype=np.uint8)
    rows[:, 1 + _ALPHA :: _CHANNELS] = np.asarray(mask, dtype=np.bool_).view(np.uint8) * _FILLED
    pixels = isal_zlib.compress(rows.data, _FASTEST_SMALL)
    content = png_around(pixels, width=width, height=height, colour=COLOUR_AND_ALPHA)
    return _PREFIX + base64.b64encode(content).decode("ascii")


def decode(url: object, *, height: int, width: int) -> NDArray[np.bool_]:
    """The mask behind a data URL.

    Args:
        url: ``data:image/png;base64,…``, with alpha of its own or in a palette.
        height: Picture height in pixels.
        width: Picture width in pixels.

    Returns:
        Boolean (height, width), as `brush.inside_of`.

    Raises:
        RejectedInput: Not such a picture, one without alpha, or one of another size (``bitmask-code``), or as
            `brush.inside_of`.
    """
    content = _content_of(url, largest=height * width * _LARGEST_PIXEL_BYTES + _LARGEST_OVERHEAD_BYTES)
    _require_size(content, height, width)
    return inside_of(_alpha_of(content))


def _content_of(url: object, *, largest: int) -> bytes:
    if not isinstance(url, str) or not url.startswith(_PREFIX):
        raise _not_a_bitmask("no PNG in a data URL")
    if len(url) > len(_PREFIX) + largest // 3 * 4:
        raise _not_a_bitmask("more bytes than such a picture can have")
    try:
        return binascii.a2b_base64(url[len(_PREFIX) :], strict_mode=True)
    except ValueError as error:
        raise _not_a_bitmask("text that is no base64") from error


def _require_size(content: bytes, height: int, width: int) -> None:
    """The header's own size must be the picture's; only then is it worth decoding."""
    from datasets.pictures.png_encoding import SIGNATURE

    if len(content) < _HEADER.size:
        raise _not_a_bitmask("too few bytes")
    signature, _, kind, across, down = _HEADER.unpack_from(content)
    if signature != SIGNATURE or kind != b"IHDR":
        raise _not_a_bitmask("a picture that is no PNG")
    if (down, across) != (height, width):
        raise _not_a_bitmask(f"a picture of {across} x {down} pixels instead of {width} x {height}")


def _alpha_of(content: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if "A" in picture.getbands():
                return np.asarray(picture.getchannel("A"), dtype=np.uint8)
            if "transparency" not in picture.info:
                raise _not_a_bitmask("a picture without transparency")
            return np.asarray(picture.convert("RGBA").getchannel("A"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise _not_a_bitmask(f"a picture that cannot be decoded ({type(error).__name__})") from error


def _not_a_bitmask(got: str) -> RejectedInput:
    return RejectedInput(
        "bitmask-code",
        f"The mask is no bitmask of Label Studio, a PNG with transparency in a data URL: {got}.",
        remedy="Open the task, draw the mask again there or delete the region, and submit it.",
    )
