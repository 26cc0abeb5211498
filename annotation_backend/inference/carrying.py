"""Masks of slices that nobody pointed at, carried over from slices that are known (2D to 3D)."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from annotation_backend.cases.models import Case
from annotation_backend.inference.services import request_of
from training.prompts.prompt import Prompts

Inside = NDArray[np.bool_]

CARRIED = "carried-over"
"""What Label Studio shows as the model of such a mask."""


def carried_masks(case: Case, known: Mapping[int, Inside], wanted: Sequence[int]) -> Iterator[tuple[int, Inside]]:
    """Draws slices from the masks of others, the nearest first.

    Args:
        case: A registered case with exported slices.
        known: Boolean (height, width) by slice: what a person saved or pointed at.
        wanted: Slices to draw.

    Yields:
        Slice and mask.
    """
    from training.propagation import refreshed

    yield from refreshed(request_of(case, Prompts(), slices=None), known, wanted)
