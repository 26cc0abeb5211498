"""A 3D U-Net on whole volumes: automatic, prompts are ignored. Imports torch: see `training.methods.loading`.

The volume is brought to the model's spacing and drawn in tiles that overlap by half, each weighted by a Gaussian
around its middle; nothing is cropped by knowledge of the tumour. A model of volumes that were cut around their tumour
may look at each as a whole instead, resized to one tile.

Source: nnU-Net (target spacing, overlapping tiles with Gaussian weights, mirrored copies, mean of the folds' logits).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from math import ceil, prod
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.image.orientation import from_ras
from datasets.image.volume import Grid, Volume
from training.inputs.canvas import MOST_VOXELS, Picture, Shape, resized
from training.inputs.intensity_rules import Greys, IntensityRule
from training.model_package import ModelDescription, Tensors
from training.networks.dyn_unet import dyn_unet
from training.networks.planning import Spacing
from training.networks.unet_plan import MOST_MEMBERS, UNetPlan
from training.runtime import Runtime
from training.segmenters.postprocessing import Cleaning, cleaned
from training.segmenters.request_images import ras_images
from training.segmenters.segmenter import Segmentation, SegmentationRequest
from training.segmenters.tiling import tiled_fields
from training.segmenters.uncertainty import together, uncertainty_of
from training.segmenters.weights import members_of, runtimes_of

_STRETCH = 1.5
"""Along an axis that is at most this many tiles long, one longer tile is drawn instead of two or three."""


class View(StrEnum):
    """How a model looks at a volume."""

    TILES = "tiles"
    """In its target spacing, tile by tile."""

    WHOLE = "whole"
    """Resized to one tile, whatever its size."""


_OF_MEMBERS = {"networks", "spacings", "canvases"}
"""Parameters that packages have only where the folds' plans differ."""


@dataclass(frozen=True)
class VolumePlan:
    """A whole-volume model's parameters beside its weights; stored in the model package.

    Args:
        channels: The intensity rule of each image, in the order the network takes them.
        spacing: Target spacing in millimetres (right, anterior, superior).
        canvas: Size of a tile in voxels of that spacing.
        network: Layout of the network.
        view: How the network looks at a volume.
        members: Networks whose logits are averaged (the folds).
        mirrored: Axes along which mirrored copies are averaged: the copies are all their combinations.
        cleaning: Post-processing of the mask, chosen on validation folds.
        networks: Layout of each member, if the folds' plans differ; empty if all are `network`.
        spacings: Target spacing of each member, likewise.
        canvases: Tile of each member, likewise.
    """

    channels: Mapping[str, IntensityRule]
    spacing: Spacing
    canvas: Shape
    network: UNetPlan
    view: View = View.TILES
    members: int = 1
    mirrored: tuple[int, ...] = (0, 1)
    cleaning: Cleaning = Cleaning.NONE
    networks: tuple[UNetPlan, ...] = ()
    spacings: tuple[Spacing, ...] = ()
    canvases: tuple[Shape, ...] = ()

    def __post_init__(self) -> None:
        fit = type(self.members) is int and 1 <= self.members <= MOST_MEMBERS
        fit = fit and all(
            len(each) == 3 and all(1e-3 <= size <= 1e3 for size in each) for each in (self.spacing, *self.spacings)
        )
        fit = fit and all(len(each) == 3 and prod(each) <= MOST_VOXELS for each in (self.canvas, *self.canvases))
        fit = fit and {*self.mirrored} <= {0, 1, 2} and len({*self.mirrored}) == len(self.mirrored)
        if not (fit and self._has_members()):
            raise RejectedInput(
                "package-parameters",
                "The package does not hold the plan of a whole-volume model (channels, spacing, canvas, network).",
                remedy="Train the model again, or use the version of Maskloop that made it.",
            )

    def _has_members(self) -> bool:
        """Whether each member has a network of these images, a spacing, and a canvas that fits the network."""
        networks, canvases = self.member_networks, self.member_canvases
        if not len(networks) == len(self.member_spacings) == len(canvases) == self.members:
            return False
        fit = all(_fits(canvas, network) for canvas, network in zip(canvases, networks, strict=True))
        return fit and all(network.channels == len(self.channels) for network in networks)

    @property
    def parameters(self) -> dict[str, Any]:
        """As plain JSON values."""
        channels = [{"image": name, "rule": rule.value} for name, rule in self.channels.items()]
        known = {key: value for key, value in asdict(self).items() if value or key not in _OF_MEMBERS}
        return known | {"channels": channels, "cleaning": self.cleaning.value, "view": self.view.value}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "VolumePlan":
        """The plan in a package's parameters; those of the fit are ignored.

        Raises:
            RejectedInput: They hold no plan.
        """
        try:
            known = {key: parameters[key] for key in cls.__dataclass_fields__ if key not in _OF_MEMBERS}
            known["networks"] = tuple(UNetPlan.from_parameters(each) for each in parameters.get("networks", ()))
            known["spacings"] = tuple(tuple(float(size) for size in each) for each in parameters.get("spacings", ()))
            known["canvases"] = tuple(tuple(int(size) for size in each) for each in parameters.get("canvases", ()))
            known["view"] = View(known["view"])
            known["channels"] = {entry["image"]: IntensityRule(entry["rule"]) for entry in known["channels"]}
            known["spacing"] = tuple(float(size) for size in known["spacing"])
            known["canvas"] = tuple(int(size) for size in known["canvas"])
            known["mirrored"] = tuple(int(axis) for axis in known["mirrored"])
            known["network"] = UNetPlan.from_parameters(known["network"])
            known["cleaning"] = Cleaning(known["cleaning"])
            return cls(**known)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RejectedInput(
                "package-parameters",
                "The package does not hold the plan of a whole-volume model (channels, spacing, canvas, network).",
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
    def member_canvases(self) -> tuple[Shape, ...]:
        """Tile of each member."""
        return self.canvases or (self.canvas,) * self.members

    @property
    def looks(self) -> "tuple[tuple[VolumePlan, tuple[int, ...]], ...]":
        """The members by what they see: the plan of those with one spacing and tile, and their numbers."""
        seen = list(zip(self.member_spacings, self.member_canvases, strict=True))
        found = []
        for spacing, canvas in dict.fromkeys(seen):
            numbers = tuple(number for number, own in enumerate(seen) if own == (spacing, canvas))
            networks = tuple(self.member_networks[number] for number in numbers)
            own = replace(self, spacing=spacing, canvas=canvas, spacings=(), canvases=())
            found.append((replace(own, members=len(numbers), networks=networks), numbers))
        return tuple(found)

    def tile(self, shape: Sequence[int]) -> Shape:
        """The tile for a picture of `shape`: the canvas, as long as the picture where that is a little longer."""
        steps = np.lcm.reduce([each.divisor for each in self.member_networks], axis=0).tolist()
        i, j, k = (
            ceil(size / step) * step if side < size <= _STRETCH * side else side
            for size, side, step in zip(shape, self.canvas, steps, strict=True)
        )
        return i, j, k

    def shape(self, grid: Grid) -> Shape:
        """The size of a volume on `grid` (RAS) as the model sees it; at least one voxel along each axis."""
        if self.view is View.WHOLE:
            return self.canvas
        extent = np.array(grid.shape) * grid.spacing
        i, j, k = np.maximum(np.rint(extent / np.array(self.spacing)), 1).astype(int)
        return int(i), int(j), int(k)


def _fits(canvas: Shape, network: UNetPlan) -> bool:
    """Whether a network of three dimensions halves a tile as often as it wants to."""
    steps = network.divisor
    return len(steps) == 3 and all(n >= 1 and n % step == 0 for n, step in zip(canvas, steps, strict=True))


def volume_input(
    images: Sequence[NDArray[np.generic]], grid: Grid, plan: VolumePlan, *, dtype: type[np.floating[Any]] = np.float32
) -> NDArray[Any]:
    """The images as the network takes them, (C, *plan.shape(grid)).

    Args:
        images: (i, j, k) each, on the RAS grid, in the plan's order.
        grid: The RAS grid.
        plan: The model's.
        dtype: Of the result; half precision where many are held in memory.
    """
    shape = plan.shape(grid)
    found = [
        resized(Greys.of(image, rule).apply(image), shape)
        for image, rule in zip(images, plan.channels.values(), strict=True)
    ]
    return np.stack(found).astype(dtype, copy=False)


class VolumeSegmenter:
    """Draws the tumour in a whole volume.

    Args:
        members: Networks whose logits are averaged.
        plan: The package's plan.
        title: Name and version.
    """

    def __init__(self, members: Sequence[Runtime], plan: VolumePlan, *, title: str) -> None:
        self._members = members
        self._plan = plan
        self._title = title

    @classmethod
    def from_package(cls, description: ModelDescription, tensors: Tensors) -> "VolumeSegmenter":
        """The segmenter of a package, on the best device there is.

        Raises:
            RejectedInput: The parameters or tensors are not those of this method.
        """
        plan = VolumePlan.from_parameters(description.parameters)
        networks = [dyn_unet(replace(each, supervised=0)) for each in plan.member_networks]
        return cls(runtimes_of(networks, members_of(tensors, plan.members)), plan, title=description.title)

    def segment(self, request: SegmentationRequest) -> Segmentation:
        """Draws the tumour; thread-safe.

        Raises:
            RejectedInput: An image is missing.
            GeometryError: The images lie on different grids.
        """
        start = perf_counter()
        images, grid = ras_images(request, self._plan.channels)
        begun = [(volume_input(images, grid, plan), plan, numbers) for plan, numbers in self._plan.looks]
        prepared = perf_counter()
        # What one look's members say together; its weight is how many they are.
        said = [
            (
                np.stack([resized(each, grid.shape) for each in self._fields(picture, plan, numbers, request)]),
                len(numbers),
            )
            for picture, plan, numbers in begun
        ]
        fine = together(said)
        drawn = perf_counter()
        probability = cleaned(torch.from_numpy(fine[0]).sigmoid().numpy(), self._plan.cleaning)
        found = uncertainty_of(fine) if request.wants_uncertainty else None
        original = request.volumes[next(iter(self._plan.channels))].grid
        seconds = {"input": prepared - start, "network": drawn - prepared, "postprocessing": perf_counter() - drawn}
        return Segmentation(
            _on(original, probability),
            self._title,
            score=None if found is None else 1.0 - found.of_case,
            used={"canvas": list(begun[0][0].shape[1:]), "seconds": seconds},
            uncertainty=None if found is None else _on(original, found.entropy),
        )

    def _fields(
        self, picture: Picture, plan: VolumePlan, numbers: Sequence[int], request: SegmentationRequest
    ) -> Picture:
        """What some members say of the mirrored copies of a picture (C, …), as `joined` has it.

        Returns:
            float32 (1, …) or, with the spread, (3, …); where tiles overlap, their weighted mean.
        """
        return tiled_fields(
            picture,
            plan.tile(picture.shape[1:]),
            [self._members[number] for number in numbers],
            mirrored=plan.mirrored,
            with_spread=request.wants_uncertainty,
        )


def _on(original: Grid, turned: Picture) -> Volume:
    """A turned array, as a volume on the image's own grid."""
    return Volume(np.ascontiguousarray(from_ras(turned, original)), original)
