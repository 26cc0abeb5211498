"""The mean of models: probabilities by hand, each member with the images that it takes."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from datasets.errors import GeometryError
from datasets.image.volume import Grid, Volume
from training.methods.mean import MeanSegmenter
from training.segmenters.segmenter import Segmentation, SegmentationRequest

GRID = Grid((2, 2, 1), np.diag([1.0, 1.0, 3.0, 1.0]))
IMAGE = Volume(np.ones(GRID.shape, dtype=np.float32), GRID)


@dataclass
class Fixed:
    """Draws one probability everywhere."""

    probability: float
    grid: Grid = GRID
    asked: list[SegmentationRequest] = field(default_factory=list)

    def segment(self, request: SegmentationRequest) -> Segmentation:
        self.asked.append(request)
        return Segmentation(Volume(np.full(self.grid.shape, self.probability, dtype=np.float32), self.grid), "fixed-1")


def test_it_draws_the_mean_of_the_probabilities() -> None:
    members = [Fixed(0.25), Fixed(0.5), Fixed(0.9)]
    request = SegmentationRequest({"t1": IMAGE, "t2": IMAGE}, "t1")
    found = MeanSegmenter(members, title="mean").segment(request)
    np.testing.assert_allclose(found.probability.data, (0.25 + 0.5 + 0.9) / 3, rtol=1e-6)
    assert found.probability.data.dtype == np.float32
    assert found.model_version == "mean"
    assert [each.asked for each in members] == [[request]] * 3


def test_answers_on_other_grids_are_refused() -> None:
    moved = Grid((2, 2, 2), GRID.affine)
    with pytest.raises(GeometryError):
        MeanSegmenter([Fixed(0.5), Fixed(0.5, moved)], title="mean").segment(SegmentationRequest({"t1": IMAGE}, "t1"))
