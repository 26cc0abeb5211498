"""MSTT-199's augmentations of pictures, each half of the time. Imports torch and MONAI.

Quarter turns, flips and the grid distortion move masks too; gamma, brightness and contrast, Gaussian blur and motion
blur change the greys of all channels alike. Blur and distortion are MONAI's; motion blur is a small kernel of our own.

Source: Reasat et al., MSTT-199: albumentations' RandomRotate90, VerticalFlip, HorizontalFlip, RandomGamma(50-200),
RandomBrightnessContrast, GaussianBlur, MotionBlur, GridDistortion(5, 0.3), in that order with its own defaults.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_HALF = 0.5

_GAMMA = (0.5, 2.0)

_CONTRAST = 0.2
"""Most by which greys are stretched, and lifted (albumentations' default)."""

_KERNELS = (3, 5, 7)
"""Sides of blurring kernels in pixels (albumentations' default)."""

_CELLS = 5

_DISTORTION = 0.3
"""Share by which a cell of the grid grows or shrinks at most."""


def varied_as_published(picture: Tensor, target: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A picture and its mask, varied.

    Args:
        picture: float32 (C, S, S) in 0..1.
        target: float32 (1, S, S) of 0 and 1.
        random: Generator of every choice.

    Returns:
        Both, of the same shapes and ranges.
    """
    both = _laid(torch.cat([picture, target]), random)
    greys: tuple[Callable[[Tensor, np.random.Generator], Tensor], ...] = (_bent, _lifted, _blurred, motion_blurred)
    image, mask = both[:-1], both[-1:]
    for change in greys:
        if random.random() < _HALF:
            image = change(image, random)
    if random.random() < _HALF:
        image, mask = _distorted(image, mask, random)
    return image.clamp(0.0, 1.0).contiguous(), (mask > 0.5).float().contiguous()


def _laid(both: Tensor, random: np.random.Generator) -> Tensor:
    if random.random() < _HALF:
        both = torch.rot90(both, int(random.integers(4)), dims=(1, 2))
    flipped = [axis for axis in (1, 2) if random.random() < _HALF]
    return both.flip(flipped) if flipped else both


def _bent(image: Tensor, random: np.random.Generator) -> Tensor:
    return image ** float(random.uniform(*_GAMMA))


def _lifted(image: Tensor, random: np.random.Generator) -> Tensor:
    slope, offset = random.uniform(-_CONTRAST, _CONTRAST, 2)
    return (image * float(1.0 + slope) + float(offset)).clamp(0.0, 1.0)


def _blurred(image: Tensor, random: np.random.Generator) -> Tensor:
    from monai.transforms import GaussianSmooth

    side = int(random.choice(_KERNELS))
    # OpenCV's rule, which albumentations follows where no deviation is given.
    deviation = 0.3 * ((side - 1) * 0.5 - 1) + 0.8
    return _plain(GaussianSmooth(sigma=deviation, approx="sampled")(image))


def motion_blurred(image: Tensor, random: np.random.Generator) -> Tensor:
    """A picture (C, S, S) blurred along a line of three to seven pixels in a random direction."""
    kernel = line_kernel(int(random.choice(_KERNELS)), float(random.uniform(0.0, np.pi)))
    side = kernel.shape[-1]
    padded = functional.pad(image[:, None], (side // 2,) * 4, mode="reflect")
    return functional.conv2d(padded, kernel[None, None])[:, 0]


def line_kernel(side: int, angle: float) -> Tensor:
    """A line through the middle of a square kernel, its weights adding up to 1.

    Args:
        side: Odd number of pixels.
        angle: In radians; 0 lies along the rows.

    Returns:
        float32 (side, side).
    """
    steps = np.linspace(-(side // 2), side // 2, 4 * side + 1)
    middle = side // 2
    rows = np.rint(middle - steps * np.sin(angle)).astype(int)
    columns = np.rint(middle + steps * np.cos(angle)).astype(int)
    kernel = torch.zeros(side, side)
    kernel[rows, columns] = 1.0
    return kernel / kernel.sum()


def _distorted(image: Tensor, mask: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    steps = [tuple(1.0 + random.uniform(-_DISTORTION, _DISTORTION, _CELLS + 1)) for _ in range(2)]
    moved = _plain(_grid_distortion()(torch.cat([image, mask]), distort_steps=steps, padding_mode="reflection"))
    return moved[:-1], moved[-1:]


@lru_cache(maxsize=1)
def _grid_distortion() -> Any:
    from monai.transforms import GridDistortion

    return GridDistortion(num_cells=_CELLS, distort_steps=[(1.0,) * (_CELLS + 1)] * 2)


def _plain(image: Any) -> Tensor:
    """A tensor without MONAI's description of it."""
    found: Tensor = image.as_tensor() if hasattr(image, "as_tensor") else torch.as_tensor(image)
    return found
