"""Clicks in 2D (DeepGrow, Sakinis): every slice on its own, drawn where it was clicked. Imports torch.

A slice without clicks keeps its previous mask. Beside DeepGrow's image and two click maps the network sees the slice's
previous probability, as 2S-ICR does in 3D.

Source: Sakinis et al., Interactive segmentation of medical images through fully convolutional neural networks, 2019.
"""

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.orientation import as_ras, axis_in_ras, is_reversed_in_ras
from datasets.image.volume import Grid, Volume, zeros_by_slice
from training.segmenters.clicks.click_plan import CanvasClicks
from training.segmenters.clicks.click_predictor import InputImages
from training.segmenters.clicks.click_segmenter import ClickSegmenter, in_0_to_1, ras_clicks, ras_previous
from training.segmenters.request_images import ras_images
from training.segmenters.segmenter import Segmentation, SegmentationRequest


class Clicks2dSegmenter(ClickSegmenter):
    """Draws the slices that were clicked."""

    dimensions = 2

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the clicked slices among those requested; thread-safe.

        Raises:
            RejectedInput: A click is outside the image or not finite, an image is missing, or a slice does not exist.
            GeometryError: The images, or the previous probability, lie on different grids.
        """
        arrays, grid = ras_images(request, self._plan.channels)
        original = request.volumes[next(iter(self._plan.channels))].grid
        axis = axis_in_ras(request.slice_axis, original)
        clicks, previous = ras_clicks(request.prompts.clicks, grid), ras_previous(request)
        probability = zeros_by_slice(original.shape, request.slice_axis)
        turned = as_ras(Volume(probability, original)).data
        seconds: dict[str, float] = {}
        regions = {}
        greys = self._greys.of(arrays, request.cache_key)
        clicked = _clicked(clicks, axis)
        for index in _asked(request, clicked, axis, original, keeps=previous is not None):
            place = (slice(None),) * axis + (index,)
            earlier = None if previous is None else in_0_to_1(previous[place])
            if index not in clicked:
                turned[place] = 0.0 if earlier is None else earlier
                continue
            name = f"{request.cache_key}/{axis}/{index}" if request.cache_key else ""
            images = InputImages([array[place] for array in arrays], greys, name)
            own = CanvasClicks(*(_on_slice(each, axis, index) for each in (clicks.positive, clicks.negative)))
            prediction = self._predictor.draw(images, own, earlier if earlier is not None and earlier.any() else None)
            turned[place] = prediction.probability
            seconds = {part: seconds.get(part, 0.0) + spent for part, spent in prediction.seconds.items()}
            regions[str(index)] = asdict(prediction.region)
        return Segmentation(
            Volume(probability, original),
            self._title,
            used={"regions": regions, "seconds": seconds},
        )


def _clicked(clicks: CanvasClicks, axis: int) -> set[int]:
    return {int(index) for each in (clicks.positive, clicks.negative) for index in np.rint(each[:, axis])}


def _asked(request: SegmentationRequest, clicked: set[int], axis: int, grid: Grid, *, keeps: bool) -> list[int]:
    """The slices to write, along `axis` of the RAS grid that `grid` becomes.

    Args:
        request: The request with its slices.
        clicked: Slices with clicks.
        axis: Axis of the RAS grid.
        grid: The images' grid.
        keeps: Whether slices without clicks keep their previous mask; else they stay empty.
    """
    count = grid.shape[request.slice_axis]
    wanted = set(range(count))
    if request.slices is not None:
        if any(not 0 <= index < count for index in request.slices):
            raise RejectedInput(
                "slice-outside",
                f"A requested slice does not exist; the image has slices 0 to {count - 1}.",
                remedy="Ask for slices of the image.",
            )
        turned = is_reversed_in_ras(request.slice_axis, grid)
        wanted = {count - 1 - index if turned else index for index in request.slices}
    return sorted(wanted if keeps else wanted & clicked)


def _on_slice(points: NDArray[np.float64], axis: int, index: int) -> NDArray[np.float64]:
    """The clicks (N, 3) on one slice, as (N, 2)."""
    return np.delete(points[np.rint(points[:, axis]) == index], axis, axis=1)
