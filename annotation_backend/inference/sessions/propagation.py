"""Slice propagation: masks of slices without a prompt, propagated from slices whose masks are known (2D to 3D)."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.serving.segmenting import request_of
from datasets.image.mask import Inside
from datasets.image.volume import Volume, zeros_by_slice
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Prompts

PROPAGATED = "carried-over"
"""Label Studio shows this as the model of a propagated mask."""


def propagated_masks(
    case: Case, known: Mapping[int, Inside], wanted: Sequence[int], *, drawn: Mapping[int, Inside] | None = None
) -> Iterator[tuple[int, Inside]]:
    """Propagates known masks to other slices, the nearest first.

    Args:
        case: A registered case with exported slices.
        known: Masks that a person saved or prompted, boolean (height, width), by slice.
        wanted: Slices to draw.
        drawn: A model's masks of the whole volume, by slice; they tell where the tumour ends.

    Yields:
        Slice and mask.
    """
    from training.segmenters.propagation import propagate

    previous = None if drawn is None else as_probability(drawn, picture_plane(case))
    yield from propagate(request_of(case, Prompts(), slices=None, previous=previous), known, wanted)


def as_probability(masks: Mapping[int, Inside], plane: PicturePlane) -> Volume:
    """Masks by slice as a probability of 0 and 1 on the case's grid."""
    data = zeros_by_slice(plane.grid.shape, plane.slice_axis)
    for index, mask in masks.items():
        plane.from_picture(mask.astype(np.float32), into=data, index=index)
    return Volume(data, plane.grid)
