"""Warm-up of a newly loaded model with a tiny request, so that no annotator waits for its compilation."""

import numpy as np

from datasets.image.volume import Grid, Volume
from training.methods.needs import CLICKED, channels_of
from training.model_package import BOXED, Method, ModelDescription
from training.prompts.prompt import Box, Click, Prompts
from training.segmenters.segmenter import SegmentationRequest, Segmenter

SIDE = 32
"""Voxels of 1 mm along each side of the image: networks see it resized, and are compiled for the size they serve."""

_LOW, _MIDDLE, _HIGH = 8.0, 16.0, 24.0


def warm(segmenter: Segmenter, description: ModelDescription) -> None:
    """Lets a segmenter draw on noise once.

    Raises:
        RejectedInput: The package does not say which images it needs.
    """
    random = np.random.default_rng(0)
    grid = Grid((SIDE, SIDE, SIDE), np.eye(4))
    images = {
        name: Volume(random.uniform(1, 100, grid.shape).astype(np.float32), grid) for name in channels_of(description)
    }
    middle = (int(_MIDDLE),)
    segmenter.segment(SegmentationRequest(images, next(iter(images)), _prompts(description.method), slices=middle))


def _prompts(method: Method) -> Prompts:
    """The method's usual prompts, around the middle of the image."""
    if method is Method.SIX_POINTS:
        ends = [(axis, end) for axis in range(3) for end in (_LOW, _HIGH)]
        points = [[end if axis == along else _MIDDLE for axis in range(3)] for along, end in ends]
        return Prompts(extreme_points=tuple((x, y, z) for x, y, z in points))
    if method in BOXED:
        return Prompts(boxes=(Box((_LOW, _LOW, _MIDDLE), (_HIGH, _HIGH, _MIDDLE)),))
    return Prompts(clicks=(Click((_MIDDLE, _MIDDLE, _MIDDLE)),)) if method in CLICKED else Prompts()
