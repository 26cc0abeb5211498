"""Masks of slices that nobody pointed at, carried over from slices that are known (2D to 3D)."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.serving.segmenting import request_of
from datasets.image.volume import Volume, zeros_by_slice
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Prompts

Inside = NDArray[np.bool_]

CARRIED = "carried-over"
"""What Label Studio shows as the model of such a mask."""


def carried_masks(
    case: Case, known: Mapping[int, Inside], wanted: Sequence[int], *, drawn: Mapping[int, Inside] | None = None
) -> Iterator[tuple[int, Inside]]:
    """Draws slices from the masks of others, the nearest first.

    Args:
        case: A registered case with exported slices.
        known: Boolean (height, width) by slice: what a person saved or pointed at.
        wanted: Slices to draw.
        drawn: What a model drew on the whole volume, by slice; it tells where the tumour ends.

    Yields:
        Slice and mask.
    """
    from training.segmenters.propagation import refreshed

    previous = None if drawn is None else as_probability(drawn, picture_plane(case))
    yield from refreshed(request_of(case, Prompts(), slices=None, previous=previous), known, wanted)


def as_probability(masks: Mapping[int, Inside], plane: PicturePlane) -> Volume:
    """Masks by slice as a probability of 0 and 1 on the case's grid."""
    data = zeros_by_slice(plane.grid.shape, plane.slice_axis)
    for index, mask in masks.items():
        plane.from_picture(mask.astype(np.float32), into=data, index=index)
    return Volume(data, plane.grid)
