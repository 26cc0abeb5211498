"""Clicks in 3D: DeepGrow, DeepEdit and 2S-ICR's two stages, which differ in weights and plan. Imports torch.

Source: Sakinis et al., DeepGrow; Diaz-Pinto et al., DeepEdit; Saukkoriipi et al., 2S-ICR (doi
10.1038/s41598-025-13601-3). All see a region resized to one canvas (DeepEdit resizes, whatever the spacing), so an
answer's cost does not grow with the image.
"""

from dataclasses import asdict

import numpy as np

from datasets.image.orientation import from_ras
from datasets.image.volume import Volume
from training.segmenters.clicks.click_predictor import InputImages
from training.segmenters.clicks.click_segmenter import ClickSegmenter, in_0_to_1, ras_clicks, ras_previous
from training.segmenters.request_images import ras_images
from training.segmenters.segmenter import Segmentation, SegmentationRequest


class Clicks3dSegmenter(ClickSegmenter):
    """Segments the tumour from clicks; without clicks, automatically."""

    dimensions = 3

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour; thread-safe.

        Raises:
            RejectedInput: A click is outside the image or not finite, or an image is missing.
            GeometryError: The images, or the previous probability, lie on different grids.
        """
        arrays, grid = ras_images(request, self._plan.channels)
        images = InputImages(arrays, self._greys.of(arrays, request.cache_key), request.cache_key)
        previous = ras_previous(request)
        clicks = ras_clicks(request.prompts.clicks, grid)
        prediction = self._predictor.draw(images, clicks, None if previous is None else in_0_to_1(previous))
        original = request.volumes[next(iter(self._plan.channels))].grid
        return Segmentation(
            Volume(np.ascontiguousarray(from_ras(prediction.probability, original)), original),
            self._title,
            used={"region": asdict(prediction.region), "passes": prediction.passes, "seconds": prediction.seconds},
        )
