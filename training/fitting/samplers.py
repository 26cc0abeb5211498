"""Samplers: training batches of click models, from regions of volumes or from slices. Imports torch."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.image.mask_box import mask_bounds
from training.fitting.examples import PreparedExamples, sampled_region
from training.fitting.running.portion import each_random
from training.inputs.augmentation import Augmentation, augmented
from training.inputs.canvas import Picture, Region, Shape, resized
from training.inputs.intensity_rules import on_canvas

OTHER_STRUCTURE = 0.25
"""Share of slices whose target is another structure of like greys instead of the tumour, so that a network learns to
follow clicks and not only tumours."""

_LEAST_PIXELS = 10
"""Smallest tumour on a slice that is sampled (MedSAM)."""

_TRIES = 8


class CanvasSampler(ABC):
    """Samples training batches."""

    def batch(self, random: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        """Images (size, C, *canvas) and targets of 0 and 1 (size, 1, *canvas), or a portion; no target is empty."""
        images, targets = zip(*(self._one(own) for own in each_random(random, size)), strict=True)
        return torch.stack(images), torch.stack(targets)

    @abstractmethod
    def _one(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """One canvas: images (C, *canvas) and target (1, *canvas)."""


class VolumeSampler(CanvasSampler):
    """Samples regions of volumes.

    Args:
        prepared: The examples.
        canvas: Size that regions are resampled to.
        rule: Strengths and probabilities of augmentations.
        whole: How often most of the volume is taken.
    """

    def __init__(self, prepared: PreparedExamples, canvas: Shape, rule: Augmentation, *, whole: float) -> None:
        self._prepared = prepared
        self._canvas = canvas
        self._rule = rule
        self._whole = whole

    def _one(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        for _ in range(_TRIES):
            number = self._prepared.drawn(random)
            region = sampled_region(self._prepared.examples[number], random, whole=self._whole)
            images = torch.from_numpy(self._prepared.images(number, region, self._canvas))
            target = torch.from_numpy(self._prepared.target(number, region, self._canvas))
            varied, moved = augmented(images, target, random, self._rule)
            if (moved > 0.5).any():
                break
        else:
            varied, moved = images, target / target.max()
        return varied, (moved > 0.5).float()


class SliceSampler(CanvasSampler):
    """Samples slices of volumes, mostly along the slice axis.

    Args:
        prepared: The examples.
        canvas: Size that regions are resampled to.
        rule: Strengths and probabilities of augmentations.
    """

    def __init__(self, prepared: PreparedExamples, canvas: Shape, rule: Augmentation) -> None:
        self._prepared = prepared
        self._canvas = canvas
        self._rule = rule

    def _one(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        while True:
            number = self._prepared.drawn(random)
            axis = int(random.choice(3, p=(0.1, 0.1, 0.8)))
            inside = self._prepared.examples[number].inside
            counts = inside.sum(axis=tuple({0, 1, 2} - {axis}))
            index = int(random.choice(np.flatnonzero(counts >= min(_LEAST_PIXELS, counts.max()))))
            truth = np.take(inside, index, axis)
            region = slice_region(truth, random)
            arrays = [np.take(image, index, axis) for image in self._prepared.arrays(number)]
            images = on_canvas(arrays, self._prepared.greys(number), region, shape=self._canvas)
            target = resized(truth[region.slices], self._canvas)
            if random.random() < OTHER_STRUCTURE:
                target = other_structure(images[0], random)
            varied, moved = augmented(torch.from_numpy(images), torch.from_numpy(target[None]), random, self._rule)
            if (moved > 0.5).any():
                return varied, (moved > 0.5).float()


def slice_region(truth: NDArray[np.bool_], random: np.random.Generator) -> Region:
    """The whole slice, or a box around the tumour with margins from a twentieth to twice its size.

    Args:
        truth: The slice's mask (rows, columns); where it is empty the whole slice is shown.
        random: Decides.
    """
    bounds = mask_bounds(truth)
    if random.random() < 0.35 or bounds is None:
        return Region.whole(truth.shape)
    lower, upper = bounds
    margins = np.exp(random.uniform(np.log(0.05), np.log(2.0), (2, 2))) * (upper - lower + 1) + 1
    return Region.around(lower - margins[0], upper + margins[1], shape=truth.shape)


def other_structure(picture: Picture, random: np.random.Generator) -> Picture:
    """A connected region of like greys around a random pixel, without holes and thin bridges.

    Args:
        picture: float32 (rows, columns), normalised.
        random: Generator of every choice.

    Returns:
        float32 of 0 and 1; all 0 if a few tries gave no region of a fair size.
    """
    from scipy.ndimage import binary_fill_holes, binary_opening, gaussian_filter, label

    smooth = gaussian_filter(picture, float(random.uniform(0.8, 2.5)))
    for _ in range(_TRIES):
        seed = tuple(int(random.integers(size)) for size in picture.shape)
        like = binary_opening(
            np.abs(smooth - smooth[seed]) < random.uniform(0.15, 0.6), iterations=int(random.integers(1, 3))
        )
        regions, _ = label(like)
        if regions[seed] == 0:
            continue
        found = binary_fill_holes(regions == regions[seed])
        if 40 <= found.sum() <= 0.35 * picture.size:
            return found.astype(np.float32)
    return np.zeros_like(picture)
