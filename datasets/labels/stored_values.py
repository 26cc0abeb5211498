"""The distinct values of a file's voxels, which tell a label map (few whole numbers) from an image (many values)."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MOST_VALUES = 24
"""More distinct values than this are no handful of labels. Images have hundreds, of eight bits too."""

MOST_LABEL = 255

_WHOLE = 1e-3


def distinct(pieces: Iterable[NDArray[np.generic]], most: int) -> tuple[float, ...] | None:
    """The distinct values of all pieces in order, as float32; None as soon as there are more than `most`.

    What is no number counts as one value, and comes last.
    """
    found = np.empty(0, np.float32)
    for piece in pieces:
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.unique(np.concatenate([found, np.unique(piece).astype(np.float32)]))
        if found.size > most:
            return None
    return tuple(float(value) for value in found)


def are_labels(values: tuple[float, ...] | None) -> bool:
    """Whether the values can be those of a label map: background, and few other whole numbers up to 255."""
    return values is not None and len(values) > 1 and are_whole(values) and round(values[0]) == 0


def are_whole(values: tuple[float, ...]) -> bool:
    """Whether the values are whole numbers from 0 to 255, as a mask's must be. A mask may lack the background's 0."""
    stored = np.array(values)
    whole = np.isfinite(stored).all() and np.abs(stored - np.rint(stored)).max() <= _WHOLE
    return bool(whole) and round(values[0]) >= 0 and round(values[-1]) <= MOST_LABEL


def labels_in(values: tuple[float, ...]) -> tuple[int, ...] | None:
    """The labels that occur, without the background; None for values that no mask may hold."""
    return tuple(sorted({round(value) for value in values} - {0})) if are_whole(values) else None
