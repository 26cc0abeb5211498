"""The mean of several models: each draws by itself, and their probabilities are averaged."""

from collections.abc import Sequence

import numpy as np

from datasets.image.volume import Volume
from training.segmenters.segmenter import Segmentation, SegmentationRequest, Segmenter


class MeanSegmenter:
    """Draws the mean probability of several segmenters, each of which takes those images that it learned from.

    Args:
        members: The segmenters; at least one.
        title: Name of the model.
    """

    def __init__(self, members: Sequence[Segmenter], *, title: str) -> None:
        self._members = members
        self._title = title

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour; thread-safe where the members are.

        Raises:
            RejectedInput: As the members.
            GeometryError: A member answers on another grid.
        """
        answers = [member.segment(request).probability for member in self._members]
        grid = answers[0].grid
        total = np.zeros(grid.shape, dtype=np.float32)
        for answer in answers:
            grid.require_match(answer.grid, what="The answers of the models of a mean")
            total += np.asarray(answer.data, dtype=np.float32)
        return Segmentation(Volume(total / np.float32(len(answers)), grid), self._title)
