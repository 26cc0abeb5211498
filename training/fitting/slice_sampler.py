"""Slices of training examples as networks on slices are shown them. Imports torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from math import ceil
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane
from training.fitting.examples import Example
from training.fitting.prepared_examples import prepared_arrays
from training.fitting.running.portion import each_random
from training.fitting.running.prepared import PreparedCases
from training.inputs.augmentation import Augmentation, augmented
from training.inputs.body import body_box, grid_within
from training.inputs.kinds import image_of
from training.inputs.picture_augmentation import varied_as_published
from training.inputs.slice_triplets import grey_volume, plane_stack, resized_stack, triplets
from training.segmenters.slices.slice_plan import Crop, Planes, SlicePlan

MADE = 1
"""How cases are prepared here: another number whenever that changes, so that those of before are not taken."""

_DEVIATIONS = 4.0
"""Standard deviations of a picture's greys from black to white, about: the strengths of augmentations are in these."""


class Variation(StrEnum):
    """How pictures are varied."""

    OWN = "own"
    """Those of the other methods (`training.inputs.augmentation`)."""

    MSTT_199 = "mstt-199"
    """Those of MSTT-199 (`training.inputs.picture_augmentation`)."""

    NONE = "none"


@dataclass(frozen=True)
class Shown:
    """What a network is shown.

    Args:
        batch: Slices an iteration.
        empty_slices: Share of slices without tumour, 0 up to below 1.
        variation: How they are varied.
        augmentation: Strengths of our own variation.
    """

    batch: int
    empty_slices: float
    variation: Variation
    augmentation: Augmentation


class PictureSampler:
    """Samples slices of all examples.

    Args:
        examples: Masks with their images.
        channels: Kinds of the images, in the network's order.
        plan: Of the model that learns.
        shown: What it is shown.
        prepared: Where cases are kept prepared; None for nowhere.

    Raises:
        RejectedInput: An image is missing (``sequence-missing``), or no slice shows a tumour (``fit-no-tumour``).
    """

    def __init__(
        self,
        examples: Sequence[Example],
        channels: Sequence[str],
        plan: SlicePlan,
        *,
        shown: Shown,
        prepared: PreparedCases | None = None,
    ) -> None:
        self._shown = shown
        self._stacks: list[NDArray[np.uint8]] = []
        self._targets: list[NDArray[np.bool_]] = []
        self._rules: list[Augmentation] = []
        self._filled: list[tuple[int, int]] = []
        self._empty: list[tuple[int, int]] = []
        kept = {"planes": plan.planes, "crop": plan.crop, "pictures": asdict(plan.rule)}
        rule = {"of": "slices", "made": MADE, **kept}
        for example in examples:
            arrays = prepared_arrays(
                example, channels, rule, prepared=prepared, make=partial(_made, example, channels, plan)
            )
            for number, plane in enumerate(_planes(example.plane, plan)):
                turned = _rule_for(plane.anatomical, shown.augmentation)
                self._add(arrays[f"stack-{number}"], arrays[f"target-{number}"], turned)
        if not self._filled:
            raise RejectedInput(
                "fit-no-tumour",
                "No picture shows a tumour: there is nothing to learn from.",
                remedy="Leave out cases whose tumour is smaller than a pixel of the network.",
            )

    @property
    def iterations_of_epoch(self) -> int:
        """Batches in which as many slices with tumour are shown as there are; each slice is drawn by chance."""
        share = 1.0 - self._shown.empty_slices if self._empty else 1.0
        return ceil(len(self._filled) / share / self._shown.batch)

    def batch(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Triplets (N, 3 * images, size, size) in 0..1 and targets (N, 1, size, size) of 0 and 1."""
        images, targets = zip(*(self._one(own) for own in each_random(random, self._shown.batch)), strict=True)
        return torch.stack(images), torch.stack(targets)

    def _one(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        is_empty = bool(self._empty) and random.random() < self._shown.empty_slices
        slices = self._empty if is_empty else self._filled
        return self._varied(*slices[int(random.integers(len(slices)))], random)

    def _add(self, stack: NDArray[np.uint8], target: NDArray[np.bool_], rule: Augmentation) -> None:
        number = len(self._stacks)
        self._stacks.append(stack)
        self._targets.append(target)
        self._rules.append(rule)
        for index, has_tumour in enumerate(map(np.any, target)):
            (self._filled if has_tumour else self._empty).append((number, index))

    def _varied(self, number: int, index: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        picture = torch.from_numpy(triplets(self._stacks[number], [index])[0])
        target = torch.from_numpy(self._targets[number][None, index].astype(np.float32))
        if self._shown.variation is Variation.MSTT_199:
            return varied_as_published(picture, target, random)
        if self._shown.variation is Variation.OWN:
            varied, target = augmented((picture - 0.5) * _DEVIATIONS, target, random, self._rules[number])
            picture = (varied / _DEVIATIONS + 0.5).clamp(0.0, 1.0)
        return picture, (target > 0.5).float()


def _rule_for(anatomical: AnatomicalPlane, rule: Augmentation) -> Augmentation:
    """Pictures that show a patient from head to foot are not turned upside down (decision 17)."""
    return rule if anatomical is AnatomicalPlane.AXIAL else replace(rule, mirrored=(1,))


def _planes(own: PicturePlane, plan: SlicePlan) -> list[PicturePlane]:
    """The planes whose pictures are shown, the one drawn on first."""
    return [own, *(_other_planes(own) if plan.planes is Planes.THREE else ())]


def _made(example: Example, channels: Sequence[str], plan: SlicePlan) -> dict[str, NDArray[Any]]:
    """An example's grey pictures (images, count, size, size) and its mask (count, size, size), plane by plane."""
    volumes = {kind: image_of(example.volumes, kind) for kind in channels}
    grid, size = example.mask.grid, plan.rule.input_size
    i, j, k = (slice(0, side) for side in grid.shape)
    box = (i, j, k)
    if plan.crop is Crop.BODY:
        box = body_box(volumes[channels[0]].data, grid, channels[0])
    greys = [grey_volume(volume, plan.rule, kind)[box] for kind, volume in volumes.items()]
    mask = example.mask.foreground[box]
    own = replace(example.plane, grid=grid_within(grid, box))
    made: dict[str, NDArray[Any]] = {}
    for number, pictures in enumerate(_planes(own, plan)):
        foreground = pictures.stack(mask).astype(np.float32)
        made[f"target-{number}"] = resized_stack(foreground, (size, size)) >= 0.5
        made[f"stack-{number}"] = plane_stack(greys, pictures, size)
    return made


def _other_planes(own: PicturePlane) -> list[PicturePlane]:
    """The two other planes of a grid."""
    found = [PicturePlane.along(own.grid, axis) for axis in range(3)]
    return [plane for plane in found if plane.slice_axis != own.slice_axis]
