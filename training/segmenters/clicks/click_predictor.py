"""ClickPredictor: segments an array of two or three axes from clicks, on ever smaller regions. Imports torch (runtime).

Without an earlier answer the first pass sees the whole array, and later ones the region of the mask found; with one, a
single pass sees the earlier mask's box and the clicks, so a later click costs one pass, however large the image is.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask_box import mask_bounds
from training.inputs.canvas import Picture, Region, resized
from training.inputs.intensity_rules import Greys, on_canvas
from training.memory import process_memory
from training.runtime import Runtime
from training.segmenters.clicks.click_plan import CanvasClicks, ClickPlan
from training.segmenters.postprocessing import cleaned

INSIDE = 0.5
"""Probability above which a voxel is inside."""

_LEAST_MARGIN = 6
"""Least margin in voxels around a mask's box: room to correct the smallest mask."""

_CLOSER = 0.7
"""A pass is repeated on a region of at most this share of the last one's voxels."""

_PASSES = 3
"""Most passes of one answer."""


@dataclass(frozen=True, eq=False)
class InputImages:
    """The images to segment.

    Args:
        arrays: One an image, all of one shape.
        greys: Normalisation of each.
        name: Cache key of the images, so that a region's canvas can be used again; empty for no cache.
    """

    arrays: Sequence[NDArray[np.generic]]
    greys: Sequence[Greys]
    name: str = ""


@dataclass(eq=False)
class ClickPrediction:
    """A probability, and how it was computed.

    Args:
        probability: float32 of the arrays' shape.
        region: Region of the last pass.
        passes: Number of passes.
        seconds: Seconds of each part.
    """

    probability: Picture
    region: Region
    passes: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: {"crop": 0.0, "map": 0.0, "network": 0.0, "postprocessing": 0.0}
    )


class ClickPredictor:
    """Segments from clicks; thread-safe.

    Args:
        plan: The package's plan.
        refiners: Networks that see clicks.
        automatics: Networks that see images only; empty where the plan has none.
    """

    def __init__(self, plan: ClickPlan, refiners: Sequence[Runtime], automatics: Sequence[Runtime] = ()) -> None:
        self._plan = plan
        self._refiners = refiners
        self._automatics = automatics
        self._name = object()
        weakref.finalize(self, process_memory().forget_all, of=self._name)

    def draw(self, images: InputImages, clicks: CanvasClicks, previous: Picture | None = None) -> ClickPrediction:
        """The probability after these clicks.

        Args:
            images: The images to segment.
            clicks: All clicks so far, in voxels of the arrays.
            previous: Probability before the last click, of the arrays' shape; None at the start.
        """
        shape = images.arrays[0].shape
        if previous is None and self._automatics and not clicks.are_none:
            before = self.draw(images, CanvasClicks(np.empty((0, len(shape))), np.empty((0, len(shape)))))
            prediction = self._closer(images, clicks, before.probability)
            prediction.seconds = {part: prediction.seconds[part] + before.seconds[part] for part in prediction.seconds}
            prediction.passes += before.passes
        else:
            prediction = self._closer(images, clicks, previous)
        return prediction

    def _closer(self, images: InputImages, clicks: CanvasClicks, previous: Picture | None) -> ClickPrediction:
        """Passes on ever smaller regions; a single one if there is a previous mask."""
        shape = images.arrays[0].shape
        known = None if previous is None else self._region(previous, Region.whole(shape), clicks, shape=shape)
        prediction = ClickPrediction(np.zeros(shape, np.float32), known or Region.whole(shape))
        passes = 1 if known is not None else _PASSES
        before = None if previous is None else previous[prediction.region.slices]
        found = self._pass(images, clicks, before, prediction=prediction)
        while prediction.passes < passes:
            closer = self._region(found, prediction.region, clicks, shape=shape)
            if closer is None or not _is_closer(closer, prediction.region):
                break
            offset = tuple(
                slice(first - start, first - start + size)
                for first, size, start in zip(closer.first, closer.size, prediction.region.first, strict=True)
            )
            before, prediction.region = found[offset], closer
            found = self._pass(images, clicks, before, prediction=prediction)
        start = perf_counter()
        prediction.probability[prediction.region.slices] = cleaned(found, self._plan.cleaning)
        prediction.seconds["postprocessing"] += perf_counter() - start
        return prediction

    def _pass(
        self, images: InputImages, clicks: CanvasClicks, previous: Picture | None, *, prediction: ClickPrediction
    ) -> Picture:
        """The networks' probability of a region, in its own voxels; `previous` is of the region too."""
        canvas, region, seconds = self._plan.canvas, prediction.region, prediction.seconds
        start = perf_counter()
        picture = self._canvas(images, region)
        cropped = perf_counter()
        automatic = bool(self._automatics) and clicks.are_none
        networks = self._automatics if automatic else self._refiners
        if not automatic:
            before = None if previous is None else resized(previous, canvas)
            picture = self._plan.refiner_input(picture, clicks.moved(region, canvas), before)
        mapped = perf_counter()
        logits = [network(picture[None])[0, 0] for network in networks]
        answered = perf_counter()
        # Logits are resampled back, not probabilities: an edge between two canvas voxels stays where it is.
        found = _sigmoid(resized(logits[0], region.size))
        for each in logits[1:]:
            found += _sigmoid(resized(each, region.size))
        found /= np.float32(len(logits))
        prediction.passes += 1
        seconds["crop"] += cropped - start
        seconds["map"] += mapped - cropped
        seconds["network"] += answered - mapped
        seconds["postprocessing"] += perf_counter() - answered
        return found

    def _region(
        self, probability: Picture, within: Region, clicks: CanvasClicks, *, shape: Sequence[int]
    ) -> Region | None:
        """The relaxed box of a mask and the positive clicks; None if the mask is empty."""
        bounds = mask_bounds(probability > INSIDE)
        if bounds is None:
            return None
        found = np.concatenate([np.array(bounds) + within.first, clicks.positive])
        lower, upper = found.min(axis=0), found.max(axis=0)
        return Region.around(lower, upper, shape=shape, relaxed=self._plan.margin, least=_LEAST_MARGIN)

    def _canvas(self, images: InputImages, region: Region) -> Picture:
        """A region's images on the canvas, from the cache or new."""
        make = partial(on_canvas, images.arrays, images.greys, region, shape=self._plan.canvas)
        if not images.name:
            return make()
        key = (self._name, images.name, region)
        return process_memory().get(key, make, size=lambda made: made.nbytes)


def _is_closer(region: Region, last: Region) -> bool:
    return float(np.prod(region.size)) <= _CLOSER * float(np.prod(last.size))


def _sigmoid(logits: Picture) -> Picture:
    """1 / (1 + exp(-logits)), with one array beside the given one: a whole volume may be large."""
    found = np.clip(logits, -30.0, 30.0)
    np.negative(found, out=found)
    np.exp(found, out=found)
    found += np.float32(1.0)
    return np.reciprocal(found, out=found)
