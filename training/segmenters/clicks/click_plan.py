"""ClickPlan: a click model's parameters beside its weights, and the input of its networks. No torch here.

Source: DeepGrow (image, positive and negative maps), DeepEdit (the same, click-free iterations), 2S-ICR (an automatic
network, then one that also sees the previous probability).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from training.inputs.canvas import MOST_VOXELS, Picture, Region, Shape
from training.inputs.intensity_rules import IntensityRule
from training.networks.unet_plan import MOST_MEMBERS, UNetPlan
from training.prompts.click_maps import CLICK_SIGMA, click_map
from training.segmenters.postprocessing import Cleaning

NO_INFORMATION = 0.5
"""The previous probability where there is none (2S-ICR's mask dropout)."""


@dataclass(frozen=True)
class ClickPlan:
    """A click model's parameters beside its weights; stored in the model package.

    Args:
        channels: The intensity rule of each image, in the order the networks take them.
        canvas: Size that a region is resampled to: three sizes, or two for a method that draws slice by slice.
        refiner: The network that sees clicks; its channels are the images, two click maps and, where `sees_previous`,
            the previous probability.
        automatic: The network that sees images only and draws before the first click; None if the refiner does.
        sees_previous: Whether the refiner sees the previous probability.
        members: Networks of each kind whose probabilities are averaged.
        sigma: Of a click's spot, in canvas voxels.
        margin: Share by which the previous mask's box is relaxed on every side.
        cleaning: Post-processing of the mask, chosen on validation folds.
    """

    channels: Mapping[str, IntensityRule]
    canvas: Shape
    refiner: UNetPlan
    automatic: UNetPlan | None = None
    sees_previous: bool = False
    members: int = 1
    sigma: float = CLICK_SIGMA
    margin: float = 0.25
    cleaning: Cleaning = Cleaning.NONE

    def __post_init__(self) -> None:
        fit = self.refiner.channels == len(self.channels) + 2 + self.sees_previous and len(self.channels) > 0
        fit = fit and type(self.members) is int and 1 <= self.members <= MOST_MEMBERS
        fit = fit and (self.automatic is None or self.automatic.channels == len(self.channels))
        fit = fit and len(self.canvas) == self.refiner.dimensions and 0.0 <= self.margin <= 2.0
        fit = fit and self.sigma > 0 and isfinite(self.sigma) and min(self.canvas) >= 1
        fit = fit and prod(self.canvas) <= MOST_VOXELS
        if not (fit and all(_halves(self.canvas, each) for each in (self.refiner, self.automatic))):
            raise RejectedInput(
                "click-plan",
                "A click model's networks must take the images, two click maps and the previous probability, and its "
                "canvas must halve at every level.",
                remedy="Correct the plan, or use the version of Maskloop that made this model.",
            )

    @property
    def parameters(self) -> dict[str, Any]:
        """As plain JSON values."""
        channels = [{"image": name, "rule": rule.value} for name, rule in self.channels.items()]
        return asdict(self) | {"channels": channels, "canvas": list(self.canvas), "cleaning": self.cleaning.value}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "ClickPlan":
        """The plan in a package's parameters; those of the fit are ignored.

        Raises:
            RejectedInput: They hold no plan.
        """
        try:
            known = {key: parameters[key] for key in cls.__dataclass_fields__}
            known["channels"] = {entry["image"]: IntensityRule(entry["rule"]) for entry in known["channels"]}
            known["canvas"] = tuple(int(size) for size in known["canvas"])
            known["refiner"] = UNetPlan.from_parameters(known["refiner"])
            if known["automatic"] is not None:
                known["automatic"] = UNetPlan.from_parameters(known["automatic"])
            known["cleaning"] = Cleaning(known["cleaning"])
            return cls(**known)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RejectedInput(
                "package-parameters",
                "The package does not hold the plan of a click model (channels, canvas, networks).",
                remedy="Train the model again, or use the version of Maskloop that made it.",
            ) from error

    def refiner_input(
        self,
        images: Picture,
        clicks: "CanvasClicks",
        previous: Picture | None,
    ) -> Picture:
        """The refiner's input: images, positive map, negative map and, if it takes it, the previous probability.

        Args:
            images: float32 (C, *canvas).
            clicks: On the canvas.
            previous: float32 of the canvas' shape; None for no information.
        """
        shape = images.shape[1:]
        maps = [click_map(points, shape, sigma=self.sigma) for points in (clicks.positive, clicks.negative)]
        if self.sees_previous:
            maps.append(np.full(shape, NO_INFORMATION, np.float32) if previous is None else previous)
        return np.concatenate([images, np.stack(maps)])


@dataclass(frozen=True, eq=False)
class CanvasClicks:
    """Clicks of both signs as indices (N, axes), fractional on a canvas, of an array otherwise."""

    positive: NDArray[np.float64]
    negative: NDArray[np.float64]

    @property
    def are_none(self) -> bool:
        """Whether there are no clicks."""
        return not (len(self.positive) or len(self.negative))

    def moved(self, region: Region, shape: Shape) -> "CanvasClicks":
        """The clicks on a canvas of a region of the array; clicks beyond the region are dropped."""
        return CanvasClicks(*(_inside(region.on_canvas(each, shape), shape) for each in (self.positive, self.negative)))


def _halves(canvas: Shape, plan: UNetPlan | None) -> bool:
    """Whether a canvas has a network's axes and can be divided at every level."""
    if plan is None:
        return True
    steps = plan.divisor
    return len(steps) == len(canvas) and all(size % step == 0 for size, step in zip(canvas, steps, strict=True))


def _inside(points: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    kept = ((points > -0.5) & (points < np.array(shape) - 0.5)).all(axis=1)
    return np.clip(points[kept], 0, np.array(shape) - 1)
