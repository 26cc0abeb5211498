"""Training of an automatic 3D U-Net on whole volumes. Imports torch.

Each iteration sees tiles of the volumes as inference cuts them; nothing is cropped by knowledge of the mask, but a
share of the tiles is placed so that a voxel of the tumour lies in them (nnU-Net), since most of a large volume is none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from datasets.errors import RejectedInput
from datasets.image.orientation import as_ras
from datasets.study.image_kind import T1
from training.fitting.choice import Trained, TrainingChoice, checkpoint_in
from training.fitting.examples import Example, ordered_examples
from training.fitting.loop import described_settings, fit_network
from training.fitting.losses import supervised_dice, supervised_entropy
from training.fitting.prepared_examples import prepared_arrays
from training.fitting.running.layout import channels_last, laid_out, served_tensors
from training.fitting.running.portion import each_random
from training.fitting.running.prepared import PreparedCases
from training.fitting.running.running import ALONE, FitProgress, Learn, Learned, Running
from training.fitting.running.settings import LoopSettings
from training.inputs.augmentation import Augmentation, augmented
from training.inputs.canvas import resized
from training.inputs.intensity_rules import rule_of
from training.networks.dyn_unet import dyn_unet, heads
from training.networks.planning import canvas_shape, coarser_spacing, plan_unet, target_spacing
from training.segmenters.volumes import View, VolumePlan, volume_input
from training.segmenters.weights import best_device

MADE = 1
"""How cases are prepared here: another number whenever that changes, so that those of before are not taken."""


@dataclass(frozen=True)
class VolumeSettings:
    """Settings of a whole-volume model's training.

    Args:
        loop: Iterations, learning rate, seed.
        channels: Images the network sees.
        widths: Channels of its levels.
        budget: Most voxels of a tile; the median volume fits into one.
        batch: Tiles an iteration.
        with_tumour: Share of the tiles that hold a chosen voxel of the tumour (nnU-Net: one in three).
        supervised: Coarser heads in training.
        view: How the network looks at a volume.
        augmentation: Strengths and probabilities of augmentations.
    """

    loop: LoopSettings
    channels: tuple[str, ...] = (T1,)
    widths: tuple[int, ...] = (16, 32, 64, 96, 128)
    budget: int = 262_144
    batch: int = 1
    with_tumour: float = 1 / 3
    supervised: int = 2
    view: View = View.TILES
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(turn=0.8, stretch=0.3, gamma=0.5, invert=0.2)
    )

    def __post_init__(self) -> None:
        if not (self.batch >= 1 and self.budget >= 1 and 0.0 <= self.with_tumour <= 1.0):
            raise RejectedInput(
                "fit-settings",
                "A training needs at least one tile and one voxel, and shares between 0 and 1.",
                remedy="Correct the settings.",
            )


def fit(
    choice: TrainingChoice,
    examples: Sequence[Example],
    *,
    checkpoints: Path | None,
    progress: FitProgress | None,
    running: Running,
) -> Trained:
    """Fits the network of `training.table.rows.unet_3d`; see `training.fitting.choice.Fit`."""
    settings = VolumeSettings(
        loop=LoopSettings(iterations=choice.own_iterations, seed=choice.seed, learning_rate=3e-3, **choice.loop),
        channels=choice.channels,
        budget=choice.option("budget"),
        view=View(choice.option("view")),
    )
    checkpoint = checkpoint_in(checkpoints, "network")
    plan, tensors, losses = fit_volumes(examples, settings, checkpoint=checkpoint, progress=progress, running=running)
    return Trained(choice, plan.parameters, [tensors], [losses])


def plan_volumes(examples: Sequence[Example], settings: VolumeSettings) -> VolumePlan:
    """Spacing, tile, kernels and strides from the training volumes, never from their masks."""
    grids = [as_ras(next(iter(example.volumes.values()))).grid for example in examples]
    extent = np.median([np.array(grid.shape) * grid.spacing for grid in grids], axis=0)
    finest = target_spacing([grid.spacing for grid in grids])
    spacing = coarser_spacing(finest, extent, budget=settings.budget)
    layout = plan_unet(
        channels=len(settings.channels),
        widths=settings.widths,
        spacing=spacing,
        shape=extent / np.array(spacing),
        supervised=settings.supervised,
    )
    canvas = canvas_shape(extent, spacing, budget=settings.budget, divisor=layout.divisor)
    return VolumePlan({name: rule_of(name) for name in settings.channels}, spacing, canvas, layout, settings.view)


def fit_volumes(
    examples: Sequence[Example],
    settings: VolumeSettings,
    *,
    checkpoint: Path | None = None,
    progress: FitProgress | None = None,
    running: Running = ALONE,
) -> tuple[VolumePlan, dict[str, NDArray[Any]], list[float]]:
    """Fits one network.

    Args:
        examples: Masks with their images.
        settings: Settings of the training.
        checkpoint: File to go on from, and to update.
        progress: Called after every iteration.
        running: Precision, set-aside cases, board.

    Returns:
        The plan, the tensors in half precision, and the losses.

    Raises:
        RejectedInput: An image is missing, the loss diverged, or the checkpoint is another training's.
    """
    ordered = ordered_examples(examples)
    plan, device = plan_volumes(ordered, settings), best_device()
    torch.manual_seed(settings.loop.seed)
    network = laid_out(dyn_unet(plan.network), device)

    def learn_on(cases: Sequence[Example]) -> Learn:
        shown = TileSampler(cases, plan, settings, prepared=running.prepared)

        def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Learned]:
            images, target = shown.batch(random)
            with running.mixed(device):
                logits = network(images.to(device, memory_format=channels_last(3)))
            found, truth = heads(logits, plan.network), target.to(device)
            yield Learned(supervised_dice(found, truth) + supervised_entropy(found, truth), images, found[0], truth)

        return learn

    about = {"cases": [example.case for example in ordered], "settings": described_settings(settings)}
    losses = fit_network(
        network,
        learn_on(ordered),
        settings.loop,
        batch=settings.batch,
        aside=learn_on(ordered_examples(running.aside)) if running.aside else None,
        checkpoint=checkpoint,
        progress=progress,
        running=running,
        about=about | running.aside_cases,
    )
    return plan, served_tensors(network, dyn_unet(replace(plan.network, supervised=0))), losses


class TileSampler:
    """Samples tiles of whole volumes.

    Args:
        examples: Masks with their images, in the order in which they are numbered.
        plan: Of the model that learns.
        settings: Of its training.
        prepared: Where they are kept prepared; None for nowhere.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        plan: VolumePlan,
        settings: VolumeSettings,
        *,
        prepared: PreparedCases | None = None,
    ) -> None:
        self._settings = settings
        self._canvas = plan.canvas
        seen_in = plan.canvas if plan.view is View.WHOLE else plan.spacing
        rule = {"of": "volumes", "made": MADE, "view": plan.view, "in": list(seen_in)}
        rule |= {"channels": [*plan.channels.items()]}
        cases = [
            prepared_arrays(each, settings.channels, rule, prepared=prepared, make=partial(self._made, each, plan))
            for each in examples
        ]
        self._images = [case["images"] for case in cases]
        self._targets = [case["target"] for case in cases]

    @property
    def volumes(self) -> list[tuple[NDArray[np.float16], NDArray[np.float16]]]:
        """Images (C, …) and target (…) of each example, as they were prepared."""
        return list(zip(self._images, self._targets, strict=True))

    def _made(self, example: Example, plan: VolumePlan) -> dict[str, NDArray[np.float16]]:
        """An example as the network sees it."""
        grid = as_ras(next(iter(example.volumes.values()))).grid
        raw = [example.raw(name) for name in self._settings.channels]
        target = resized(example.inside, plan.shape(grid)).astype(np.float16)
        return {"images": volume_input(raw, grid, plan, dtype=np.float16), "target": target}

    def batch(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, *canvas) and targets of 0 and 1 (B, 1, *canvas)."""
        images, targets = zip(*(self._one(own) for own in each_random(random, self._settings.batch)), strict=True)
        return torch.stack(images), torch.stack(targets)

    def _one(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        number = int(random.integers(len(self._images)))
        image, target = self._images[number], self._targets[number]
        tile, margins = self._tile(target, random)
        shown = np.pad(image[(slice(None), *tile)], [(0, 0), *margins]).astype(np.float32)
        truth = np.pad(target[tile], margins).astype(np.float32)[None]
        varied, moved = augmented(torch.from_numpy(shown), torch.from_numpy(truth), random, self._settings.augmentation)
        return varied, (moved > 0.5).float()

    def _tile(
        self, target: NDArray[np.float16], random: np.random.Generator
    ) -> tuple[tuple[slice, ...], list[tuple[int, int]]]:
        """A random tile of a volume, and the margins that it lacks where the volume is smaller."""
        wanted = None
        if random.random() < self._settings.with_tumour:
            inside = np.argwhere(target > 0.5)
            wanted = inside[random.integers(len(inside))] if len(inside) else None
        tile, margins = [], []
        for axis, (size, side) in enumerate(zip(target.shape, self._canvas, strict=True)):
            low, high = 0, max(size - side, 0)
            if wanted is not None:
                low, high = max(int(wanted[axis]) - side + 1, 0), min(int(wanted[axis]), high)
            start = int(random.integers(min(low, high), high + 1))
            before = int(random.integers(max(side - size, 0) + 1))
            tile.append(slice(start, start + side))
            margins.append((before, max(side - size, 0) - before))
        return tuple(tile), margins
