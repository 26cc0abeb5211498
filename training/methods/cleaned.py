"""A fold's segmenter while a folder of folds is evaluated: what it draws is cleaned, and unprompted drawn only once."""

import time
from dataclasses import dataclass, replace

import numpy as np

from datasets.deflated import deflated, inflated
from datasets.image.volume import Grid, Volume
from training.segmenters.postprocessing import Cleaning, cleaned
from training.segmenters.segmenter import Segmentation, SegmentationRequest, Segmenter


class CleanedSegmenter:
    """A segmenter whose masks are cleaned, as a package cleans its own that says how.

    Args:
        segmenter: Draws.
        cleaning: The post-processing.
    """

    def __init__(self, segmenter: Segmenter, cleaning: Cleaning) -> None:
        self._segmenter = segmenter
        self._cleaning = cleaning

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour.

        Raises:
            RejectedInput: As the segmenter.
        """
        answer = self._segmenter.segment(request)
        probability = cleaned(np.asarray(answer.probability.data), self._cleaning)
        return replace(answer, probability=Volume(probability, answer.probability.grid))


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What was drawn of a case: the mask's bits, deflated, its grid, by which model, and in how many seconds."""

    bits: bytes
    grid: Grid
    model_version: str
    seconds: float

    def answer(self) -> Segmentation:
        """As it was drawn, in probabilities of 0 and 1."""
        voxels = int(np.prod(self.grid.shape))
        bits = inflated(self.bits, (voxels + 7) // 8)
        assert bits is not None  # noqa: S101  # they never left this process
        inside = np.unpackbits(np.frombuffer(bits, np.uint8), count=voxels).reshape(self.grid.shape)
        return Segmentation(Volume(inside.astype(np.float32), self.grid), self.model_version, seconds=self.seconds)


class RememberingSegmenter:
    """A segmenter that draws by itself, each case once; asked again, it says what it drew and how long that took.

    A cleaning is chosen on the masks of all folds before any is measured. A mask takes some kilobytes.

    Args:
        segmenter: Draws without prompts.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._drawn: dict[tuple[str, tuple[int, ...] | None], _Drawn] = {}

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour.

        Raises:
            RejectedInput: As the segmenter.
        """
        key = (request.cache_key, request.slices)
        if key not in self._drawn:
            started = time.perf_counter()
            answer = self._segmenter.segment(request)
            seconds = time.perf_counter() - started
            bits = deflated(np.packbits(np.asarray(answer.probability.data) > 0.5).tobytes())
            self._drawn[key] = _Drawn(bits, answer.probability.grid, answer.model_version, seconds)
        return self._drawn[key].answer()
