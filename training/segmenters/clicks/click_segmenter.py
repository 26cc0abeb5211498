"""ClickSegmenter: the base of clicks in 2D and in 3D: networks, plan, images and clicks of a request. Imports torch."""

from collections.abc import Sequence
from threading import Lock
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.orientation import as_ras
from datasets.image.volume import Grid
from training.inputs.canvas import Picture
from training.inputs.intensity_rules import Greys
from training.model_package import ModelDescription, Tensors
from training.networks.dyn_unet import dyn_unet
from training.prompts.prompt import Click
from training.segmenters.clicks.click_plan import CanvasClicks, ClickPlan
from training.segmenters.clicks.click_predictor import ClickPredictor
from training.segmenters.request_images import points_in
from training.segmenters.segmenter import SegmentationRequest
from training.segmenters.weights import members_of, runtimes_of


class ClickSegmenter:
    """A loaded click model.

    Args:
        predictor: Segments an array.
        plan: The package's plan.
        title: Name and version.
    """

    dimensions: ClassVar[int]
    """Axes of the arrays that the method draws."""

    def __init__(self, predictor: ClickPredictor, plan: ClickPlan, *, title: str) -> None:
        self._predictor = predictor
        self._plan = plan
        self._title = title
        self._greys = KnownGreys(plan)

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> Self:
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of this method.
        """
        plan = ClickPlan.from_parameters(description.parameters)
        if len(plan.canvas) != cls.dimensions:
            raise RejectedInput(
                "package-parameters",
                f"Expected a canvas of {cls.dimensions} sizes for {description.method}, got {len(plan.canvas)}.",
                remedy="Train the model again, or use the version of Maskloop that made it.",
            )
        return cls(predictor_of(plan, tensors), plan, title=description.title)


class KnownGreys:
    """The normalisations of the last few cases' images."""

    def __init__(self, plan: ClickPlan) -> None:
        self._rules = list(plan.channels.values())
        self._known: dict[str, list[Greys]] = {}
        self._lock = Lock()

    def of(self, arrays: Sequence[NDArray[np.generic]], key: str) -> list[Greys]:
        """The normalisation of a case's images, by its cache key."""
        with self._lock:
            if key and key in self._known:
                return self._known[key]
        found = [Greys.of(array, rule) for array, rule in zip(arrays, self._rules, strict=True)]
        with self._lock:
            if len(self._known) >= 64:
                self._known.clear()
            if key:
                self._known[key] = found
        return found


def predictor_of(plan: ClickPlan, tensors: Tensors) -> ClickPredictor:
    """The networks of a package, refiners first, automatic ones after them.

    Raises:
        RejectedInput: The tensors are not those of the plan's networks.
    """
    plans = [plan.refiner] * plan.members + [plan.automatic] * plan.members
    built = [each for each in plans if each is not None]
    networks = runtimes_of(map(dyn_unet, built), members_of(tensors, len(built)))
    return ClickPredictor(plan, networks[: plan.members], networks[plan.members :])


def ras_clicks(clicks: Sequence[Click], grid: Grid) -> CanvasClicks:
    """Clicks in voxels of a RAS grid.

    Raises:
        RejectedInput: One is outside the image or not finite.
    """
    found = points_in([click.point_mm for click in clicks], grid)
    positive = np.array([click.positive for click in clicks], dtype=bool)
    return CanvasClicks(found[positive], found[~positive])


def ras_previous(request: SegmentationRequest) -> Picture | None:
    """The previous probability with axes towards right, anterior, superior, as a view.

    Raises:
        GeometryError: It lies on another grid than the images.
    """
    if request.previous is None:
        return None
    for volume in request.volumes.values():
        volume.grid.require_match(request.previous.grid, what="The previous probability and the images of a request")
    return np.asarray(as_ras(request.previous).data, dtype=np.float32)


def in_0_to_1(probability: Picture) -> Picture:
    """A probability, clipped to 0..1 if it is not inside."""
    if probability.min() >= 0.0 and probability.max() <= 1.0:  # both are false if a voxel is NaN
        return probability
    return np.clip(np.nan_to_num(probability), 0.0, 1.0)
