"""The bit stream of Label Studio's brush masks, compiled: runs of RGBA values to a picture's alpha and back.

Most significant bit first. Header: the number of values (32 bits), the bits of a value less one (5), four sizes less
one (4 each). Then runs until there are so many values: whether all are equal (1), which size (2), the run's length
less one (so many), and the value once or, where they are not equal, each of them (8).

Source: thi.ng/umbrella, packages/rle-pack, which the editor uses; label_studio_sdk.converter.brush, which writes the
same bytes.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

WHOLE, TOO_SHORT, TOO_LONG = 0, 1, 2
"""Results of `read_alpha`: as many values as declared; fewer; a run that goes on behind the last of them."""

PADDING = 8
"""Zero bytes that must stand behind the code, so that reading never leaves the array."""

_HEADER_BITS = 53
_LONGEST_RUN = 1 << 16


@njit(cache=True, nogil=True)
def read_alpha(code: NDArray[np.uint8], sizes: NDArray[np.int64], alpha: NDArray[np.uint8]) -> int:
    """Writes every fourth value, the alpha channel, into `alpha`.

    Args:
        code: The bytes with their header, and `PADDING` zeros.
        sizes: The four sizes in bits, 1 to 16.
        alpha: One element a pixel, all 0; the code has four values for each.

    Returns:
        `WHOLE`, `TOO_SHORT` or `TOO_LONG`.
    """
    values, bits = 4 * alpha.size, 8 * (code.size - PADDING)
    done, position = 0, _HEADER_BITS
    while done < values:
        head = _bits(code, position, 3)
        size = sizes[head & 3]
        stop = done + 1 + _bits(code, position + 3, size)
        position += 3 + size
        is_equal = head & 4
        following = position + 8 if is_equal else position + 8 * (stop - done)
        if following > bits:
            return TOO_SHORT
        if stop > values:
            return TOO_LONG
        if is_equal:
            value = _bits(code, position, 8)
            if value:
                for pixel in range(done // 4, stop // 4):
                    alpha[pixel] = value
        else:
            for pixel in range(done // 4, stop // 4):
                alpha[pixel] = _bits(code, position + 8 * (4 * pixel + 3 - done), 8)
        done, position = stop, following
    return WHOLE


@njit(cache=True, nogil=True)
def write_alpha(alpha: NDArray[np.uint8], code: NDArray[np.uint8]) -> int:
    """Writes a picture's code, its alpha in all four channels, with sizes 3, 4, 8 and 16.

    Args:
        alpha: One element a pixel, at least one.
        code: Room for two bytes a pixel and sixteen more.

    Returns:
        How many bytes were written; a whole zero byte closes a code that ends with a byte, as the SDK's does.
    """
    pixels = alpha.size
    waiting, count, place = 0, 0, 0
    for field, width in ((4 * pixels, 32), (7, 5), (2, 4), (3, 4), (7, 4), (15, 4)):
        waiting, count, place = _put(code, place, waiting, count, field, width)
    first = 0
    while first < pixels:
        value = alpha[first]
        last = first + 1
        while last < pixels and alpha[last] == value:
            last += 1
        left, is_long = 4 * (last - first), 4 * (last - first) > 256
        while left > 0:
            run = min(left, _LONGEST_RUN)
            if is_long:
                size, head = 16, 7
            elif run > 16:
                size, head = 8, 6
            elif run > 8:
                size, head = 4, 5
            else:
                size, head = 3, 4
            token = (((head << size) | (run - 1)) << 8) | int(np.int64(value))
            waiting, count, place = _put(code, place, waiting, count, token, 11 + size)
            left -= run
        first = last
    code[place] = waiting << (8 - count)
    return place + 1


@njit(cache=True, nogil=True, inline="always")
def _bits(code: NDArray[np.uint8], position: int, count: int) -> int:
    """Up to 24 bits as a number."""
    byte, shift = position >> 3, 32 - (position & 7) - count
    word = (np.int64(code[byte]) << 24) | (np.int64(code[byte + 1]) << 16)
    word |= (np.int64(code[byte + 2]) << 8) | np.int64(code[byte + 3])
    return int((word >> shift) & ((1 << count) - 1))


@njit(cache=True, nogil=True, inline="always")
def _put(code: NDArray[np.uint8], place: int, waiting: int, count: int, field: int, width: int) -> tuple[int, int, int]:
    """Appends `width` bits to the `count` that wait for their byte to be full."""
    waiting, count = (waiting << width) | field, count + width
    while count >= 8:
        count -= 8
        code[place] = waiting >> count
        place += 1
        waiting &= (1 << count) - 1
    return waiting, count, place
