"""Untrained models of the prompted methods, built in a moment: for what must hold whatever a model learned."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from training.inputs.intensity_rules import rule_of
from training.model_package import ModelDescription
from training.networks.dyn_unet import dyn_unet
from training.networks.unet_plan import UNetPlan
from training.segmenters.clicks.click_plan import ClickPlan
from training.segmenters.segmenter import Segmenter
from training.segmenters.six_points import PointsPlan
from training.segmenters.weights import as_members, tensors_of
from training.table.method import Method
from training.table.table import method_called

WIDTHS = (4, 8, 8)

Built = tuple[ModelDescription, dict[str, Any]]


def six_points() -> Built:
    """InteractiveNet's, of one image and all maps, without mirrored copies."""
    network = UNetPlan.uniform(channels=4, widths=WIDTHS)
    plan = PointsPlan({"t1": rule_of("t1")}, (2.0, 2.0, 4.0), 4096, network, mirrored=())
    return _built(method_called("six-points"), plan.parameters, [network])


def clicks_3d() -> Built:
    """DeepGrow's in 3D."""
    plan = ClickPlan({"t1": rule_of("t1")}, (16, 16, 8), UNetPlan.uniform(channels=3, widths=WIDTHS))
    return _built(method_called("clicks-3d"), plan.parameters, [plan.refiner])


def two_stage() -> Built:
    """2S-ICR's: an automatic network, and one that sees clicks and the previous probability."""
    refiner, automatic = (UNetPlan.uniform(channels=count, widths=WIDTHS) for count in (4, 1))
    plan = ClickPlan({"t1": rule_of("t1")}, (16, 16, 8), refiner, automatic, sees_previous=True)
    return _built(method_called("clicks-3d"), plan.parameters, [refiner, automatic])


def clicks_2d() -> Built:
    """DeepGrow's in 2D, which also sees the previous probability."""
    refiner = UNetPlan.uniform(channels=4, widths=WIDTHS, dimensions=2)
    plan = ClickPlan({"t1": rule_of("t1")}, (32, 32), refiner, sees_previous=True)
    return _built(method_called("clicks-2d"), plan.parameters, [refiner])


BUILDERS: dict[str, Callable[[], Built]] = {
    "six-points": six_points,
    "clicks-3d": clicks_3d,
    "two-stage": two_stage,
    "clicks-2d": clicks_2d,
}


@cache
def tiny_segmenter(name: str) -> Segmenter:
    """The segmenter of one of `BUILDERS`."""
    from training.segmenters.clicks.clicks_2d import Clicks2dSegmenter
    from training.segmenters.clicks.clicks_3d import Clicks3dSegmenter
    from training.segmenters.six_points import SixPointsSegmenter

    description, tensors = BUILDERS[name]()
    if name == "six-points":
        return SixPointsSegmenter.from_package(description, tensors)
    return (Clicks2dSegmenter if name == "clicks-2d" else Clicks3dSegmenter).from_package(description, tensors)


def _built(method: Method, parameters: dict[str, Any], networks: list[UNetPlan]) -> Built:
    torch.manual_seed(0)
    tensors = as_members([tensors_of(dyn_unet(each)) for each in networks])
    return ModelDescription("tiny", "1", method, parameters, {"snapshot": "a" * 64}), tensors
