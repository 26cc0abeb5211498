"""A small honest segmenter for tests: grows from the clicks over like intensities, and learns from negative clicks."""

import numpy as np
from scipy.ndimage import label

from datasets.errors import RejectedInput
from datasets.image.volume import Volume
from training.segmenters.segmenter import Segmentation, SegmentationRequest


class GrowingSegmenter:
    """Voxels as bright as a positive click within `tolerance`, connected to one, without balls around negative clicks.

    Args:
        tolerance: Largest difference of intensity.
        needs_click: Refuse requests without clicks, as some methods do; otherwise nothing is drawn.
    """

    def __init__(self, *, tolerance: float = 25.0, needs_click: bool = False) -> None:
        self.tolerance, self.needs_click = tolerance, needs_click
        self.requests: list[SegmentationRequest] = []

    def segment(self, request: SegmentationRequest) -> Segmentation:
        self.requests.append(request)
        volume = request.volumes[request.target]
        if self.needs_click and request.prompts.is_empty:
            raise RejectedInput("growing-no-click", "Expected a click, got none.", remedy="Click.")
        inside = np.zeros(volume.grid.shape, dtype=bool)
        for click in request.prompts.clicks:
            inside = self._with(inside, click.point_mm, volume, positive=click.positive)
        for point in request.prompts.extreme_points:
            inside = self._with(inside, point, volume, positive=True)
        if request.slices is not None:
            others = np.setdiff1d(np.arange(inside.shape[request.slice_axis]), request.slices)
            inside[tuple(others if axis == request.slice_axis else slice(None) for axis in range(3))] = False
        return Segmentation(Volume(inside.astype(np.float32) * 0.9, volume.grid), "growing-1")

    def _with(self, inside: np.ndarray, point: tuple, volume: Volume, *, positive: bool) -> np.ndarray:
        at = tuple(np.rint(volume.grid.to_voxel(point)).astype(int))
        if positive:
            regions, _ = label(np.abs(volume.data - volume.data[at]) < self.tolerance)
            return inside | (regions == regions[at])
        away = (np.indices(inside.shape).reshape(3, -1).T - at) * volume.grid.spacing
        return inside & ~(np.linalg.norm(away, axis=1) < 3.0).reshape(inside.shape)
