"""Masks of slices that nobody pointed at, carried over from slices that are known (2D to 3D)."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from annotation_backend.cases.models import Case
from annotation_backend.inference.services import request_of, segmenter_of
from annotation_backend.registry.models import PromptKind
from annotation_backend.registry.services import serving_model
from training.prompts.prompt import Prompts

Inside = NDArray[np.bool_]


def carried_masks(case: Case, known: Mapping[int, Inside], wanted: Sequence[int]) -> Iterator[tuple[int, Inside, str]]:
    """Draws slices from the masks of others, the nearest first.

    Args:
        case: A registered case with exported slices.
        known: Boolean (height, width) by slice: what a person saved or pointed at.
        wanted: Slices to draw.

    Yields:
        Slice, mask and model version.

    Raises:
        RejectedInput: No model serves.
    """
    from training.propagation import refreshed

    model = serving_model(PromptKind.BOX)
    request = request_of(case, Prompts(), slices=None)
    for index, mask in refreshed(request, known, wanted, segmenter=segmenter_of(model)):
        yield index, mask, f"{model}+carried"
