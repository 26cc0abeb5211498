"""Label Studio's brush masks: a picture's mask to its run-length code and back.

The code is a bit stream over the flattened RGBA picture; the mask is the alpha channel (Label Studio 1.23.2). The SDK's
converter reads and writes it; this module adds what it leaves out: one threshold, checks before memory is taken, and
errors a person can read.
"""

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput

INSIDE_ABOVE_ALPHA = 127
"""Strokes are anti-aliased (alpha 1 to 254); above this a pixel is inside."""

_CHANNELS = 4
_SMALLEST_CODE_BYTES = 7
_FILLED = 255


def encode(mask: NDArray[np.bool_]) -> list[int]:
    """Run-length code of a mask in picture orientation.

    Args:
        mask: Boolean (height, width).

    Returns:
        Bytes as integers 0..255, as Label Studio's ``value.rle``.
    """
    from label_studio_sdk.converter.brush import mask2rle

    return [int(byte) for byte in mask2rle(mask.astype(np.uint8) * _FILLED)]


def decode(rle: object, *, height: int, width: int) -> NDArray[np.bool_]:
    """The mask behind a run-length code.

    Args:
        rle: Bytes as integers 0..255.
        height: Picture height in pixels.
        width: Picture width in pixels.

    Returns:
        Boolean (height, width): where alpha is above `INSIDE_ABOVE_ALPHA`.

    Raises:
        RejectedInput: Not such a code, or one of another picture size (``brush-code``).
    """
    from label_studio_sdk.converter.brush import decode_rle

    if not isinstance(rle, list) or len(rle) < _SMALLEST_CODE_BYTES:
        raise _not_a_code("something shorter or of another kind")
    if not all(isinstance(byte, int) and 0 <= byte <= 255 for byte in rle):
        raise _not_a_code("values that are no bytes")
    declared = int.from_bytes(bytes(rle[:4]), "big")
    if declared != height * width * _CHANNELS:
        raise _not_a_code(f"a code for {declared // _CHANNELS} pixels instead of {height} x {width}")
    try:
        values = decode_rle(list(rle))
    except (ValueError, IndexError, OverflowError) as error:
        raise _not_a_code("a code that ends too early") from error
    alpha = values.reshape(height, width, _CHANNELS)[..., _CHANNELS - 1]
    return np.asarray(alpha > INSIDE_ABOVE_ALPHA)


def _not_a_code(got: str) -> RejectedInput:
    return RejectedInput(
        "brush-code",
        f"Expected Label Studio's run-length code of a brush mask, got {got}.",
        remedy="Open the task and submit it again.",
    )
