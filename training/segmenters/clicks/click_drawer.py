"""ClickDrawer: draws an array of two or three axes from clicks, on ever closer regions. Imports torch (runtime).

Without an earlier answer it looks at the whole array first and then closer at what it found; with one it looks at the
earlier mask's box and the clicks at once, so that a later click costs one pass, however large the image is.
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
"""Voxels around a mask's box at least: room to correct the smallest mask."""

_CLOSER = 0.7
"""A pass is repeated on a region of at most this share of the last one's voxels."""

_PASSES = 3
"""Most passes of one answer."""


@dataclass(frozen=True, eq=False)
class DrawnImages:
    """The arrays to draw on.

    Args:
        arrays: One an image, all of one shape.
        greys: How each becomes network input.
        name: Names them, so that a region's canvas can be used again; empty for no memory.
    """

    arrays: Sequence[NDArray[np.generic]]
    greys: Sequence[Greys]
    name: str = ""


@dataclass(eq=False)
class Drawing:
    """A probability and how it came about.

    Args:
        probability: float32 of the arrays' shape.
        region: Where the last pass looked.
        passes: How many passes there were.
        seconds: By part.
    """

    probability: Picture
    region: Region
    passes: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: {"crop": 0.0, "map": 0.0, "network": 0.0, "postprocessing": 0.0}
    )


class ClickDrawer:
    """Draws; thread-safe.

    Args:
        plan: What the package says.
        refiners: Networks that see clicks.
        automatics: Networks that see images only; empty where the plan has none.
    """

    def __init__(self, plan: ClickPlan, refiners: Sequence[Runtime], automatics: Sequence[Runtime] = ()) -> None:
        self._plan = plan
        self._refiners = refiners
        self._automatics = automatics
        self._name = object()
        weakref.finalize(self, process_memory().forget_all, of=self._name)

    def draw(self, images: DrawnImages, clicks: CanvasClicks, previous: Picture | None = None) -> Drawing:
        """The probability after these clicks.

        Args:
            images: What to draw on.
            clicks: All clicks so far, in voxels of the arrays.
            previous: Probability before the last click, of the arrays' shape; None at the start.
        """
        shape = images.arrays[0].shape
        if previous is None and self._automatics and not clicks.are_none:
            before = self.draw(images, CanvasClicks(np.empty((0, len(shape))), np.empty((0, len(shape)))))
            drawing = self._closer(images, clicks, before.probability)
            drawing.seconds = {part: drawing.seconds[part] + before.seconds[part] for part in drawing.seconds}
            drawing.passes += before.passes
        else:
            drawing = self._closer(images, clicks, previous)
        return drawing

    def _closer(self, images: DrawnImages, clicks: CanvasClicks, previous: Picture | None) -> Drawing:
        """Passes on ever closer regions; a single one where there is a mask to begin with."""
        shape = images.arrays[0].shape
        known = None if previous is None else self._region(previous, Region.whole(shape), clicks, shape=shape)
        drawing = Drawing(np.zeros(shape, np.float32), known or Region.whole(shape))
        passes = 1 if known is not None else _PASSES
        before = None if previous is None else previous[drawing.region.slices]
        found = self._pass(images, clicks, before, drawing=drawing)
        while drawing.passes < passes:
            closer = self._region(found, drawing.region, clicks, shape=shape)
            if closer is None or not _is_closer(closer, drawing.region):
                break
            offset = tuple(
                slice(first - start, first - start + size)
                for first, size, start in zip(closer.first, closer.size, drawing.region.first, strict=True)
            )
            before, drawing.region = found[offset], closer
            found = self._pass(images, clicks, before, drawing=drawing)
        start = perf_counter()
        drawing.probability[drawing.region.slices] = cleaned(found, self._plan.cleaning)
        drawing.seconds["postprocessing"] += perf_counter() - start
        return drawing

    def _pass(
        self, images: DrawnImages, clicks: CanvasClicks, previous: Picture | None, *, drawing: Drawing
    ) -> Picture:
        """What the networks say of a region, in its own voxels; `previous` is of the region too."""
        canvas, region, seconds = self._plan.canvas, drawing.region, drawing.seconds
        start = perf_counter()
        picture = self._canvas(images, region)
        cropped = perf_counter()
        automatic = bool(self._automatics) and clicks.are_none
        networks = self._automatics if automatic else self._refiners
        if not automatic:
            before = None if previous is None else resized(previous, canvas)
            picture = self._plan.shown(picture, clicks.moved(region, canvas), before)
        mapped = perf_counter()
        logits = [network(picture[None])[0, 0] for network in networks]
        answered = perf_counter()
        # Logits are brought back, not probabilities: an edge between two canvas voxels stays where it is.
        found = _sigmoid(resized(logits[0], region.size))
        for each in logits[1:]:
            found += _sigmoid(resized(each, region.size))
        found /= np.float32(len(logits))
        drawing.passes += 1
        seconds["crop"] += cropped - start
        seconds["map"] += mapped - cropped
        seconds["network"] += answered - mapped
        seconds["postprocessing"] += perf_counter() - answered
        return found

    def _region(
        self, probability: Picture, within: Region, clicks: CanvasClicks, *, shape: Sequence[int]
    ) -> Region | None:
        """The relaxed box of a mask and the positive clicks; None where there is no mask."""
        bounds = mask_bounds(probability > INSIDE)
        if bounds is None:
            return None
        found = np.concatenate([np.array(bounds) + within.first, clicks.positive])
        lower, upper = found.min(axis=0), found.max(axis=0)
        return Region.around(lower, upper, shape=shape, relaxed=self._plan.margin, least=_LEAST_MARGIN)

    def _canvas(self, images: DrawnImages, region: Region) -> Picture:
        """A region's images on the canvas, out of memory or fresh."""
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
