"""Label Studio's brush masks: a picture's mask to its run-length code and back.

The code is a bit stream over the flattened RGBA picture; the mask is the alpha channel (Label Studio 1.23.2). The bytes
are those of the SDK's converter, at a small part of its time; what is read is checked before memory is taken for it.
"""

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput

INSIDE_ABOVE_ALPHA = 127
"""The editor writes 255 and anti-aliased edges (alpha 1 to 254); above this a pixel is inside."""

_CHANNELS = 4
_HEADER_BYTES = 7
_WORD_BITS = 8
_MOST_PIXELS = (1 << 32) // _CHANNELS - 1
_FILLED = np.uint8(255)


def encode(mask: NDArray[np.bool_]) -> list[int]:
    """Run-length code of a mask in picture orientation.

    Args:
        mask: Boolean (height, width).

    Returns:
        Bytes as integers 0..255, as Label Studio's ``value.rle``.

    Raises:
        RejectedInput: As `encode_alpha`.
    """
    return encode_alpha(np.asarray(mask, dtype=np.bool_).view(np.uint8) * _FILLED)


def encode_alpha(alpha: NDArray[np.uint8]) -> list[int]:
    """Run-length code of a picture whose four channels are all `alpha`; the same bytes as the SDK's ``mask2rle``.

    Args:
        alpha: uint8 (height, width); 255 is opaque.

    Raises:
        RejectedInput: Not two-dimensional, empty, or of 2^30 pixels or more (``mask-shape``).
    """
    if alpha.ndim != 2 or not 0 < alpha.size <= _MOST_PIXELS:
        raise RejectedInput(
            "mask-shape",
            f"Expected the mask of one picture, got an array of {alpha.shape}.",
            remedy="Give one slice in picture orientation (height, width).",
        )
    from annotation_backend.labeling.masks.brush_runs import write_alpha

    code = np.empty(2 * alpha.size + 16, dtype=np.uint8)
    written = write_alpha(np.ascontiguousarray(alpha, dtype=np.uint8).reshape(-1), code)
    return list(code[:written].tobytes())


def decode(rle: object, *, height: int, width: int) -> NDArray[np.bool_]:
    """The mask behind a run-length code.

    Args:
        rle: Bytes as integers 0..255.
        height: Picture height in pixels.
        width: Picture width in pixels.

    Returns:
        Boolean (height, width), as `inside_of`.

    Raises:
        RejectedInput: Not such a code, or one of another picture size (``brush-code``), or as `inside_of`.
    """
    return inside_of(decode_alpha(rle, height=height, width=width))


def inside_of(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The pixels that the writer of a mask meant to be inside.

    Where some pixel is above `INSIDE_ABOVE_ALPHA`, those pixels: the rest are the edges of strokes. Where all that is
    there has one and the same fainter alpha, all of it: scripts write 1 (the SDK's ``mask2rle`` of a mask of 0 and 1)
    or 100 (its ``contour2rle``). A wholly transparent picture is an empty mask, as the editor writes it after *Undo*.

    Args:
        alpha: uint8 (height, width); 255 is opaque.

    Raises:
        RejectedInput: Several alphas, none of them above the threshold (``region-faint``): the remains of an eraser, or
            a map of something else. Nobody knows which of it was meant.
    """
    inside = np.asarray(alpha > INSIDE_ABOVE_ALPHA)
    if inside.any():
        return inside
    drawn = np.asarray(alpha > 0)
    faintest, strongest = (alpha[drawn].min(), alpha[drawn].max()) if drawn.any() else (0, 0)
    if faintest == strongest:
        return drawn
    raise RejectedInput(
        "region-faint",
        f"Expected a mask with pixels above alpha {INSIDE_ABOVE_ALPHA}, or of one alpha, got alphas from {faintest} to "
        f"{strongest}.",
        remedy="Open the task, draw the mask again there or delete the region, and submit it.",
    )


def decode_alpha(rle: object, *, height: int, width: int) -> NDArray[np.uint8]:
    """The alpha channel (height, width) behind a run-length code; arguments and errors as `decode`.

    What follows the last value is passed over, as the editor does.
    """
    code = _bytes_of(rle)
    sizes = _sizes_of(code, height, width)
    from annotation_backend.labeling.masks import brush_runs

    padded = np.frombuffer(code + bytes(brush_runs.PADDING), dtype=np.uint8)
    alpha = np.zeros(height * width, dtype=np.uint8)
    found = brush_runs.read_alpha(padded, sizes, alpha)
    if found == brush_runs.TOO_SHORT:
        raise _not_a_code("a code that ends too early")
    if found == brush_runs.TOO_LONG:
        raise _not_a_code("a run that goes on behind the last pixel")
    return alpha.reshape(height, width)


def prepare() -> None:
    """Compiles encoder and decoder, so that the first mask after a start does not wait for that (0.4 s)."""
    decode(encode(np.ones((1, 1), dtype=np.bool_)), height=1, width=1)


def _bytes_of(rle: object) -> bytes:
    if not isinstance(rle, list) or len(rle) < _HEADER_BYTES:
        raise _not_a_code("it is too short, or no list")
    if set(map(type, rle)) != {int}:  # bytes() would take True for 1
        raise _not_a_code("values that are no whole numbers")
    try:
        return bytes(rle)
    except ValueError as error:
        raise _not_a_code("values that are no bytes") from error


def _sizes_of(code: bytes, height: int, width: int) -> NDArray[np.int64]:
    """The four sizes of run lengths in bits, once the rest of the header is as it should be."""
    declared = int.from_bytes(code[:4], "big")
    if min(height, width) < 1 or declared != height * width * _CHANNELS:
        raise _not_a_code(f"a code for {declared // _CHANNELS} pixels instead of {height} x {width}")
    fields = int.from_bytes(code[4:_HEADER_BYTES], "big")
    word_bits = (fields >> 19) + 1
    if word_bits != _WORD_BITS:
        raise _not_a_code(f"values of {word_bits} bits instead of {_WORD_BITS}")
    return np.array([(fields >> shift & 15) + 1 for shift in (15, 11, 7, 3)], dtype=np.int64)


def _not_a_code(got: str) -> RejectedInput:
    return RejectedInput(
        "brush-code",
        f"The brush mask is not in Label Studio's run-length code: {got}.",
        remedy="Open the task, draw the mask again there or delete the region, and submit it.",
    )
