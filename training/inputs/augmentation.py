"""Augmentation of canvases: mirrored, turned, stretched; brighter, noisier, blurred, sometimes inverted.

Imports torch: imported where something is fitted. Ranges follow InteractiveNet and 2S-ICR, except rotation: 30 degrees
where MONAI's radians gave InteractiveNet any angle by accident.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_MOST_BENT = 0.15
"""Largest standard deviation of a bending field, where the canvas is 2 long."""


@dataclass(frozen=True)
class Augmentation:
    """Strength and probability (0..1) of each augmentation.

    Args:
        mirror: How often each of `mirrored` is mirrored.
        mirrored: Axes that may be mirrored; not top to bottom (see docs/decisions/0017).
        turn: How often the canvas is turned and stretched.
        degrees: Largest turn about each axis.
        stretch: Largest share by which each axis grows or shrinks.
        intensity: How often contrast and brightness change.
        noise: How often noise is added.
        blur: How often it is blurred.
        gamma: How often greys are bent.
        invert: How often dark and bright change places (a T1 lesion is dark where a T2 lesion is bright).
        together: Channels whose greys change in the same way: those of one image.
    """

    mirror: float = 0.5
    mirrored: tuple[int, ...] = (0, 1)
    turn: float = 0.5
    degrees: float = 30.0
    stretch: float = 0.2
    intensity: float = 0.5
    noise: float = 0.2
    blur: float = 0.15
    gamma: float = 0.3
    invert: float = 0.0
    together: int = 1


def augmented(images: Tensor, others: Tensor, random: np.random.Generator, rule: Augmentation) -> tuple[Tensor, Tensor]:
    """Augments images and their masks and maps with the same motion; only images change their greys.

    Args:
        images: (C, …) float32, two or three axes.
        others: (D, …) float32: masks and maps.
        random: Generator of every choice.
        rule: Strengths and probabilities.

    Returns:
        Both, of the same shapes; beyond the border the border's values are repeated in images, 0 in the others.
    """
    axes = images.ndim - 1
    both = torch.cat([images, others])
    flipped = [axis + 1 for axis in range(axes) if axis in rule.mirrored and random.random() < rule.mirror]
    if flipped:
        both = both.flip(flipped)
    images, others = both[: len(images)], both[len(images) :]
    if random.random() < rule.turn:
        grid = _moved_grid(images.shape, random, rule)
        images = functional.grid_sample(images[None], grid, padding_mode="border", align_corners=False)[0]
        if others.any():  # most tiles of a large volume hold no tumour
            others = functional.grid_sample(others[None], grid, padding_mode="zeros", align_corners=False)[0]
    return _greys(images, random, rule), others


def _moved_grid(shape: torch.Size, random: np.random.Generator, rule: Augmentation) -> Tensor:
    axes = len(shape) - 1
    matrix = np.diag(1.0 + random.uniform(-rule.stretch, rule.stretch, axes))
    for one in range(axes):
        for other in range(one + 1, axes):
            angle = math.radians(random.uniform(-rule.degrees, rule.degrees))
            turn = np.eye(axes)
            turn[one, one] = turn[other, other] = math.cos(angle)
            turn[one, other], turn[other, one] = -math.sin(angle), math.sin(angle)
            matrix = matrix @ turn
    # grid_sample counts axes from the last to the first and every axis from -1 to 1, whatever its length.
    sizes = np.array(shape[1:][::-1], dtype=np.float64)
    return sampling_grid(matrix * (sizes[None, :] / sizes[:, None]), shape[1:])


def sampling_grid(matrix: NDArray[np.float64], shape: torch.Size) -> Tensor:
    """Where each voxel comes from, (1, *shape, axes): what torch's affine_grid gives, in a fifth of its time."""
    found = torch.zeros(1)
    for axis, size in enumerate(shape):
        places = (2.0 * np.arange(size) + 1.0) / size - 1.0
        along = [size if other == axis else 1 for other in range(len(shape))]
        moved = np.multiply.outer(places, matrix[:, len(shape) - 1 - axis]).astype(np.float32)
        found = found + torch.from_numpy(moved).view(*along, len(shape))
    return found[None]


def _greys(images: Tensor, random: np.random.Generator, rule: Augmentation) -> Tensor:
    return torch.cat([_varied(channels, random, rule) for channels in images.split(rule.together)])


def _varied(image: Tensor, random: np.random.Generator, rule: Augmentation) -> Tensor:
    """The channels (C, …) of one image, all changed alike."""
    if random.random() < rule.invert:
        image = -image
    if random.random() < rule.intensity:
        image = image * float(random.uniform(0.75, 1.25)) + float(random.normal(0.0, 0.15))
    if random.random() < rule.gamma:
        low, span = image.min(), (image.max() - image.min()).clamp_min(1e-6)
        image = ((image - low) / span) ** float(random.uniform(0.65, 1.5)) * span + low
    if random.random() < rule.noise:
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(int(random.integers(2**31))))
        image = image + noise * float(random.uniform(0.0, 0.15))
    if random.random() < rule.blur:
        image = _blurred(image)
    return image


def _blurred(image: Tensor) -> Tensor:
    """Mean of three voxels along every axis but that of the channels."""
    for axis in range(1, image.ndim):
        image = (image + image.roll(1, axis) + image.roll(-1, axis)) / 3.0
    return image


def bent(masks: Tensor, random: np.random.Generator) -> Tensor:
    """Masks deformed by smooth random fields, one for each mask; a mask that would become empty is not changed.

    Args:
        masks: (B, 1, …) of 0 and 1.
        random: Generator of every choice.

    Returns:
        (B, 1, …) of 0 and 1; most of an edge lies within a tenth of the canvas of where it was.
    """
    count, axes = len(masks), masks.ndim - 2
    amount = random.uniform(0.0, _MOST_BENT)
    coarse = torch.from_numpy(random.normal(0.0, amount, (count, axes, *(4,) * axes))).float()
    mode = "trilinear" if axes == 3 else "bilinear"
    field = functional.interpolate(coarse, size=masks.shape[2:], mode=mode).movedim(1, -1)
    shift = torch.from_numpy(random.normal(0.0, amount / 2, (count, *(1,) * axes, axes))).float()
    still = functional.affine_grid(
        torch.eye(axes, axes + 1).repeat(count, 1, 1), list(masks.shape), align_corners=False
    )
    moved = (functional.grid_sample(masks, still + field + shift, align_corners=False) > 0.5).float()
    empty = moved.flatten(1).amax(1) == 0
    moved[empty] = masks[empty]
    return moved
