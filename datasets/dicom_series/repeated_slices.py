"""Duplicate slices, sent twice: at one place, with the same pixels, under another UID.

Archives send objects again. Pixels are read only where two slices lie at one place.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datasets.dicom.header import SliceHeader
from datasets.dicom_pixels.pixels import read_frames, read_pixels
from datasets.dicom_series.stack import SLICE_POSITION_TOLERANCE_MM, along_normal, have_positions
from datasets.errors import RejectedInput


def without_duplicates(stack: list[SliceHeader]) -> tuple[list[SliceHeader], int]:
    """The slices without duplicates, and how many those were; each first copy keeps their UIDs.

    Slices at one place with different pixels stay.

    Args:
        stack: Sorted along the normal, at least one.
    """
    if not have_positions(stack):
        return stack, 0
    kept = [header for place in _places(stack) for header in _distinct(place)]
    return kept, len(stack) - len(kept)


def is_same_picture(one: SliceHeader, other: SliceHeader) -> bool:
    """Whether two files hold one slice: the headers agree in all that is read of them, and so do the pixels."""
    if not one.is_image or one.frame_headers or replace(one, path=other.path) != other:
        return False
    pixels, others = _pixels(one), _pixels(other)
    return pixels is not None and others is not None and np.array_equal(pixels, others)


def _places(stack: list[SliceHeader]) -> Iterator[list[SliceHeader]]:
    """Runs of slices that lie at one place along the normal."""
    gaps = np.diff(along_normal(stack))
    starts = [0, *(np.flatnonzero(gaps > SLICE_POSITION_TOLERANCE_MM) + 1).tolist(), len(stack)]
    yield from (stack[first:last] for first, last in pairwise(starts))


def _distinct(place: list[SliceHeader]) -> list[SliceHeader]:
    """The slices of one place whose pixels no earlier one has; as they are where there is but one."""
    if len(place) == 1:
        return place
    kept: list[tuple[SliceHeader, NDArray[np.float32] | None]] = []
    for header in place:
        pixels = _pixels(header)
        copied = [number for number, (other, seen) in enumerate(kept) if _is_copy(header, pixels, other, seen)]
        if not copied:
            kept.append((header, pixels))
            continue
        other, seen = kept[copied[0]]
        kept[copied[0]] = replace(other, copy_uids=other.copy_uids | header.uids), seen
    return [header for header, _ in kept]


def _is_copy(
    header: SliceHeader, pixels: NDArray[np.float32] | None, other: SliceHeader, seen: NDArray[np.float32] | None
) -> bool:
    if pixels is None or seen is None or header.spacing != other.spacing:
        return False
    apart = np.abs(np.subtract(header.position or (), other.position or ()))
    return bool(apart.max() <= SLICE_POSITION_TOLERANCE_MM) and np.array_equal(pixels, seen)


def _pixels(header: SliceHeader) -> NDArray[np.float32] | None:
    """A slice's values; None where they cannot be read, which is refused when the series is read."""
    try:
        if header.is_frame:
            return read_frames([header], what="a slice")[0]
        return read_pixels(header, what="a slice")
    except (RejectedInput, OSError):
        return None
