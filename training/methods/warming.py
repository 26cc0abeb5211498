"""Warm-up of a newly loaded model with a tiny request, so that no annotator waits for its compilation."""

import numpy as np

from datasets.image.volume import Grid, Volume
from training.methods.needs import channels_of
from training.model_package import ModelDescription
from training.prompts.prompt import Box, Click, Prompts
from training.segmenters.segmenter import SegmentationRequest, Segmenter
from training.table.method import PromptType

SIDE = 32
"""Voxels of 1 mm along each side of the image: networks see it resized, and are compiled for the size they serve."""

_LOW, _MIDDLE, _HIGH = 8.0, 16.0, 24.0

_ENDS = (
    (_LOW, _MIDDLE, _MIDDLE),
    (_HIGH, _MIDDLE, _MIDDLE),
    (_MIDDLE, _LOW, _MIDDLE),
    (_MIDDLE, _HIGH, _MIDDLE),
    (_MIDDLE, _MIDDLE, _LOW),
    (_MIDDLE, _MIDDLE, _HIGH),
)

_USUAL = {
    PromptType.EXTREME_POINTS: Prompts(extreme_points=_ENDS),
    PromptType.BOX: Prompts(boxes=(Box((_LOW, _LOW, _MIDDLE), (_HIGH, _HIGH, _MIDDLE)),)),
    PromptType.POINT: Prompts(clicks=(Click((_MIDDLE, _MIDDLE, _MIDDLE)),)),
}
"""Prompts around the middle of the image, by their kind."""


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
    prompts = _USUAL.get(description.method.usual_prompt, Prompts())
    segmenter.segment(SegmentationRequest(images, next(iter(images)), prompts, slices=(int(_MIDDLE),)))
