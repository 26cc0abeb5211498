"""Six points: a box around extreme points, a geodesic map from them, a U-Net on both. Imports torch: see `loading.py`.

Training, evaluation and service share `PointsPlan` and `points_input`. One difference from InteractiveNet: it cuts its
training boxes around the mask and its test boxes around the points, which lie further in; here both come from points.

Source: Spaanderman et al., InteractiveNet (the relaxed box, z-score of the box, the exponentialized geodesic map, eight
mirrored copies, mean of the folds' logits).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from datasets.errors import RejectedInput
from datasets.image.orientation import from_ras
from datasets.image.volume import Grid, Volume
from training.inputs.canvas import MOST_VOXELS, Picture, Region, Shape, resized
from training.inputs.intensity_rules import Greys, IntensityRule
from training.model_package import ModelDescription, Tensors
from training.networks.dyn_unet import dyn_unet
from training.networks.planning import Spacing, canvas_shape, is_anisotropic
from training.networks.unet_plan import MOST_MEMBERS, UNetPlan
from training.prompts.click_maps import click_map
from training.prompts.geodesic import exponentialized_geodesic
from training.prompts.prompt import LEAST_EXTREME_POINTS, PointMm
from training.runtime import Runtime
from training.segmenters.postprocessing import Cleaning, cleaned
from training.segmenters.request_images import points_in, ras_images
from training.segmenters.segmenter import Segmentation, SegmentationRequest
from training.segmenters.tiling import opinions
from training.segmenters.uncertainty import joined, together
from training.segmenters.weights import members_of, runtimes_of

_LEAST_MARGIN = 8
"""Least margin in voxels around the points' box (InteractiveNet)."""

_LEAST_MARGIN_ACROSS = 3
"""The same along the coarsest axis of an anisotropic volume."""

_MOST_ITERATIONS = 64
"""Most scans of the geodesic map; it does not change after four to eight."""


_OF_MEMBERS = ("networks", "spacings")
"""Parameters that packages have only where the folds' plans differ."""


class PointsMap(StrEnum):
    """A map of the points, as a channel of the network's input."""

    GEODESIC = "geodesic"
    """InteractiveNet's: near 1 if no edge lies between a voxel and the nearest point."""

    ELLIPSOID = "ellipsoid"
    """1 in the middle of the points' box, 0.37 on the ellipsoid through its faces: place and size, without greys."""

    SPOTS = "spots"
    """DeepGrow's Gaussian at each point."""


@dataclass(frozen=True)
class PointsPlan:
    """A six-points model's parameters beside its weights; stored in the model package.

    Args:
        channels: The intensity rule of each image, in the order the network takes them.
        spacing: Target spacing of the canvas in millimetres (right, anterior, superior).
        budget: Most voxels of a canvas.
        relaxed: Share of the points' box added on every side.
        network: Layout of the network; its channels are the images and the maps.
        maps: Maps of the points that it sees.
        iterations: Scans of the geodesic map.
        members: Networks whose logits are averaged (the folds).
        mirrored: Axes along which mirrored copies are averaged: the copies are all their combinations.
        cleaning: Post-processing of the mask, chosen on validation folds.
        networks: Layout of each member, if the folds' plans differ; empty if all are `network`.
        spacings: Target spacing of each member, likewise; empty if all are `spacing`.
    """

    channels: Mapping[str, IntensityRule]
    spacing: Spacing
    budget: int
    network: UNetPlan
    maps: tuple[PointsMap, ...] = (PointsMap.GEODESIC, PointsMap.ELLIPSOID, PointsMap.SPOTS)
    relaxed: float = 0.1
    iterations: int = 4
    members: int = 1
    mirrored: tuple[int, ...] = (0, 1)
    cleaning: Cleaning = Cleaning.NONE
    networks: tuple[UNetPlan, ...] = ()
    spacings: tuple[Spacing, ...] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """As plain JSON values."""
        channels = [{"image": name, "rule": rule.value} for name, rule in self.channels.items()]
        known = {key: value for key, value in asdict(self).items() if value or key not in _OF_MEMBERS}
        return known | {
            "channels": channels,
            "maps": [str(kind) for kind in self.maps],
            "mirrored": list(self.mirrored),
            "cleaning": self.cleaning.value,
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "PointsPlan":
        """The plan in a package's parameters; those of the fit are ignored.

        Raises:
            RejectedInput: They hold no plan.
        """
        try:
            known = {key: parameters[key] for key in cls.__dataclass_fields__ if key not in _OF_MEMBERS}
            known["networks"] = tuple(UNetPlan.from_parameters(each) for each in parameters.get("networks", ()))
            known["spacings"] = tuple(tuple(float(size) for size in each) for each in parameters.get("spacings", ()))
            known["channels"] = {entry["image"]: IntensityRule(entry["rule"]) for entry in known["channels"]}
            known["spacing"] = tuple(float(size) for size in known["spacing"])
            known["mirrored"] = tuple(int(axis) for axis in known["mirrored"])
            known["maps"] = tuple(PointsMap(kind) for kind in known["maps"])
            known["network"] = UNetPlan.from_parameters(known["network"])
            known["cleaning"] = Cleaning(known["cleaning"])
            plan = cls(**known)
            _require_sane(plan)
            return plan
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RejectedInput(
                "package-parameters",
                "The package does not hold the plan of a six-points model (channels, spacing, budget, network).",
                remedy="Train the model again, or use the version of Maskloop that made it.",
            ) from error

    @property
    def member_networks(self) -> tuple[UNetPlan, ...]:
        """Layout of each member."""
        return self.networks or (self.network,) * self.members

    @property
    def member_spacings(self) -> tuple[Spacing, ...]:
        """Target spacing of each member."""
        return self.spacings or (self.spacing,) * self.members

    @property
    def looks(self) -> "tuple[tuple[PointsPlan, tuple[int, ...]], ...]":
        """The members by what they see: the plan of those with one spacing, and their numbers."""
        found = []
        for spacing in dict.fromkeys(self.member_spacings):
            numbers = tuple(number for number, own in enumerate(self.member_spacings) if own == spacing)
            networks = tuple(self.member_networks[number] for number in numbers)
            own = replace(self, spacing=spacing, spacings=(), members=len(numbers), networks=networks)
            found.append((own, numbers))
        return tuple(found)

    def region(self, points: NDArray[np.float64], grid: Grid, *, relaxed: float | None = None) -> Region:
        """The box around points (N, 3) in voxels of a RAS grid, relaxed and cut at the border."""
        least = [_LEAST_MARGIN] * 3
        if is_anisotropic(grid.spacing):
            least[int(np.argmax(grid.spacing))] = _LEAST_MARGIN_ACROSS
        return Region.around(
            points.min(axis=0),
            points.max(axis=0),
            shape=grid.shape,
            relaxed=self.relaxed if relaxed is None else relaxed,
            least=least,
        )

    def canvas(self, region: Region, grid: Grid) -> Shape:
        """The size that a region is resampled to."""
        extent = np.array(region.size) * grid.spacing
        divisor = np.lcm.reduce([each.divisor for each in self.member_networks], axis=0)
        return canvas_shape(extent, self.spacing, budget=self.budget, divisor=divisor.tolist())


def _require_sane(plan: PointsPlan) -> None:
    """Refuses a plan whose parts do not fit each other, or whose numbers are out of range.

    Raises:
        ValueError: They do not.
    """
    fit = type(plan.members) is int and 1 <= plan.members <= MOST_MEMBERS
    fit = fit and type(plan.budget) is int and 1 <= plan.budget <= MOST_VOXELS
    fit = fit and type(plan.iterations) is int and 1 <= plan.iterations <= _MOST_ITERATIONS
    spacings = {plan.spacing, *plan.spacings}
    fit = fit and all(len(each) == 3 and all(1e-3 <= size <= 1e3 for size in each) for each in spacings)
    fit = fit and len(plan.member_spacings) == plan.members
    fit = fit and 0.0 <= plan.relaxed <= 2.0 and len({*plan.mirrored}) == len(plan.mirrored)
    fit = fit and {*plan.mirrored} <= {0, 1, 2} and len(plan.member_networks) == plan.members
    channels = len(plan.channels) + len(plan.maps)
    if not fit or any(each.channels != channels or each.dimensions != 3 for each in plan.member_networks):
        raise ValueError("plan")


def points_input(
    images: Sequence[NDArray[np.generic]], points: NDArray[np.float64], grid: Grid, *, region: Region, plan: PointsPlan
) -> Picture:
    """The network's input for a region: the images and the maps of the points.

    Args:
        images: (i, j, k) each, on the RAS grid, in the plan's order.
        points: (N, 3) voxels of the grid; never interpolated, only rounded on the canvas.
        grid: The RAS grid.
        region: From `PointsPlan.region`.
        plan: The model's.

    Returns:
        float32 (images + maps, *canvas).
    """
    shape = plan.canvas(region, grid)
    rules = plan.channels.values()
    greys = [
        resized(Greys.of(image[region.slices], rule).apply(image[region.slices]), shape)
        for image, rule in zip(images, rules, strict=True)
    ]
    placed = region.on_canvas(points, shape)
    seeds = np.clip(np.rint(placed), 0, np.array(shape) - 1).astype(np.int64)
    maps: list[Picture] = []
    for kind in plan.maps:
        if kind is PointsMap.GEODESIC:
            spacing = np.array(region.size) * grid.spacing / shape
            maps.append(_geodesic(greys, seeds, spacing=spacing, iterations=plan.iterations))
        else:
            maps.append(_ellipsoid(placed, shape) if kind is PointsMap.ELLIPSOID else click_map(seeds, shape))
    return np.stack([*greys, *maps])


def _geodesic(greys: list[Picture], seeds: NDArray[np.int64], *, spacing: ArrayLike, iterations: int) -> Picture:
    i, j, k = (float(size) for size in np.asarray(spacing))
    return exponentialized_geodesic(np.stack(greys), seeds, spacing=(i, j, k), iterations=iterations)


def _ellipsoid(points: NDArray[np.float64], shape: Shape) -> Picture:
    """exp(-r²), where r is 1 on the ellipsoid through the faces of the points' box."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    half = np.maximum(np.ptp(points, axis=0) / 2, 1.0)
    i, j, k = (np.exp(-(((np.arange(shape[axis]) - middle[axis]) / half[axis]) ** 2)) for axis in range(3))
    return (i[:, None, None] * j[None, :, None] * k[None, None, :]).astype(np.float32)


class SixPointsSegmenter:
    """Segments the tumour between extreme points.

    Args:
        members: Networks whose logits are averaged.
        plan: The package's plan.
        title: Name and version.
    """

    def __init__(self, members: Sequence[Runtime], plan: PointsPlan, *, title: str) -> None:
        self._members = members
        self._plan = plan
        self._title = title

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> "SixPointsSegmenter":
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of this method.
        """
        plan = PointsPlan.from_parameters(description.parameters)
        networks = [dyn_unet(replace(each, supervised=0)) for each in plan.member_networks]
        return cls(runtimes_of(networks, members_of(tensors, plan.members)), plan, title=description.title)

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour; thread-safe.

        Raises:
            RejectedInput: Too few points, points outside the image, all at one place or on one plane, or no such image.
            GeometryError: The images lie on different grids.
        """
        start = perf_counter()
        images, grid = ras_images(request, self._plan.channels)
        points = self._points(request.prompts.extreme_points, grid)
        region = self._plan.region(points, grid)
        pictures = [points_input(images, points, grid, region=region, plan=plan) for plan, _ in self._plan.looks]
        mapped = perf_counter()
        said = []
        for picture, (_, numbers) in zip(pictures, self._plan.looks, strict=True):
            members = [self._members[number] for number in numbers]
            [logits] = joined(opinions(picture, members, self._plan.mirrored), with_spread=False)
            said.append((resized(logits, region.size)[None], len(numbers)))
        drawn = perf_counter()
        probability = np.zeros(grid.shape, dtype=np.float32)
        fine = torch.from_numpy(together(said)[0]).sigmoid().numpy()
        probability[region.slices] = cleaned(fine, self._plan.cleaning)
        seconds = {"map": mapped - start, "network": drawn - mapped, "postprocessing": perf_counter() - drawn}
        original = request.volumes[next(iter(self._plan.channels))].grid
        return Segmentation(
            Volume(np.ascontiguousarray(from_ras(probability, original)), original),
            self._title,
            used={"region": asdict(region), "canvas": list(pictures[0].shape[1:]), "seconds": seconds},
        )

    @staticmethod
    def _points(points: Sequence[PointMm], grid: Grid) -> NDArray[np.float64]:
        """The points in voxels of the RAS grid."""
        long = np.array(grid.shape) > 1
        if len(points) < 2 * int(long.sum()):
            raise RejectedInput(
                "points-few",
                f"Expected {LEAST_EXTREME_POINTS} points, two at the tumour's ends along each axis, got {len(points)}.",
                remedy="Place the missing points just inside the tumour's edge.",
            )
        found = points_in(points, grid)
        extent = np.ptp(found, axis=0)
        if (extent[long] < 1.0).all():
            raise RejectedInput(
                "points-identical",
                "All extreme points lie at one place.",
                remedy="Place two points along each axis, at opposite ends of the tumour.",
            )
        if (extent[long] < 1.0).any():
            raise RejectedInput(
                "points-on-one-plane",
                "All extreme points lie on one plane.",
                remedy="Add the first and the last slice that show the tumour.",
            )
        return found
