"""Training of six points: InteractiveNet's network on regions around simulated extreme points. Imports torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from datasets.image.orientation import as_ras
from datasets.image.volume import Grid
from datasets.study.image_kind import T1
from training.fitting.choice import Trained, TrainingChoice, checkpoint_in
from training.fitting.examples import Example, ordered_examples
from training.fitting.loop import described_settings, fit_network
from training.fitting.losses import supervised_dice
from training.fitting.running.layout import channels_last, laid_out, served_tensors
from training.fitting.running.portion import each_random
from training.fitting.running.running import ALONE, FitProgress, Learned, Running
from training.fitting.running.settings import LoopSettings
from training.inputs.augmentation import Augmentation, augmented
from training.inputs.canvas import resized
from training.inputs.intensity_rules import rule_of
from training.networks.dyn_unet import dyn_unet, heads
from training.networks.planning import canvas_shape, plan_unet, target_spacing
from training.prompts.simulated_points import six_points
from training.segmenters.six_points import PointsMap, PointsPlan, points_input
from training.segmenters.weights import best_device

WIDTHS = (8, 16, 32, 48, 64)
"""Between InteractiveNet's 4 to 128 and nnU-Net's 32 to 320: five folds fit into one small file."""


@dataclass(frozen=True)
class PointsSettings:
    """Settings of a six-point model's training.

    Args:
        loop: Iterations, learning rate, seed.
        channels: Images the network sees.
        maps: Maps of the points that the network sees.
        widths: Channels of its levels.
        budget: Most voxels of a canvas.
        batch: Regions whose gradients are added up before a step (InteractiveNet: 4).
        supervised: Coarser heads in training.
        relaxations: Range of the share by which boxes are relaxed in training.
        augmentation: Strengths and probabilities of augmentations.
    """

    loop: LoopSettings
    channels: tuple[str, ...] = (T1,)
    maps: tuple[PointsMap, ...] = (PointsMap.GEODESIC, PointsMap.ELLIPSOID, PointsMap.SPOTS)
    widths: tuple[int, ...] = WIDTHS
    budget: int = 180_000
    batch: int = 1
    supervised: int = 2
    relaxations: tuple[float, float] = (0.05, 0.2)
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(degrees=15.0, stretch=0.1, gamma=0.5, invert=0.3)
    )


def fit(
    choice: TrainingChoice,
    examples: Sequence[Example],
    *,
    checkpoints: Path | None,
    progress: FitProgress | None,
    running: Running,
) -> Trained:
    """Fits the network of `training.table.rows.six_points`; see `training.fitting.choice.Fit`."""
    loop = LoopSettings(iterations=choice.own_iterations, seed=choice.seed, learning_rate=3e-3, **choice.loop)
    settings = PointsSettings(loop=loop, channels=choice.channels)
    checkpoint = checkpoint_in(checkpoints, "network")
    plan, tensors, losses = fit_six_points(
        examples, settings, checkpoint=checkpoint, progress=progress, running=running
    )
    return Trained(choice, plan.parameters, [tensors], [losses])


def plan_points(examples: Sequence[Example], settings: PointsSettings) -> PointsPlan:
    """Target spacing, kernels and strides from the training examples."""
    spacing = target_spacing([example.spacing for example in examples])
    extents = [(upper - lower + 1) * np.array(e.spacing) * 1.2 for e in examples for lower, upper in [e.bounds]]
    typical = canvas_shape(np.median(extents, axis=0), spacing, budget=settings.budget, divisor=(1, 1, 1))
    coarser = np.median(extents, axis=0) / np.array(typical)
    network = plan_unet(
        channels=len(settings.channels) + len(settings.maps),
        widths=settings.widths,
        spacing=(float(coarser[0]), float(coarser[1]), float(coarser[2])),
        shape=typical,
        supervised=settings.supervised,
    )
    rules = {name: rule_of(name) for name in settings.channels}
    return PointsPlan(channels=rules, spacing=spacing, budget=settings.budget, network=network, maps=settings.maps)


def fit_six_points(
    examples: Sequence[Example],
    settings: PointsSettings,
    *,
    checkpoint: Path | None = None,
    progress: FitProgress | None = None,
    running: Running = ALONE,
) -> tuple[PointsPlan, dict[str, NDArray[Any]], list[float]]:
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
    plan, device = plan_points(ordered, settings), best_device()
    torch.manual_seed(settings.loop.seed)
    network = laid_out(dyn_unet(plan.network), device)
    learner = PointsLearner(ordered, plan, settings, device=device, running=running)
    aside = None
    if running.aside:
        aside = PointsLearner(ordered_examples(running.aside), plan, settings, device=device, running=running).learn
    about = {"cases": [example.case for example in ordered], "settings": described_settings(settings)}
    losses = fit_network(
        network,
        learner.learn,
        settings.loop,
        batch=settings.batch,
        aside=aside,
        checkpoint=checkpoint,
        progress=progress,
        running=running,
        about=about | running.aside_cases,
    )
    return plan, served_tensors(network, dyn_unet(replace(plan.network, supervised=0))), losses


class PointsLearner:
    """Samples regions of examples and computes losses.

    Args:
        examples: Masks with their images.
        plan: Of the model that learns.
        settings: Of its training.
        device: Where losses are computed.
        running: Precision.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        plan: PointsPlan,
        settings: PointsSettings,
        *,
        device: torch.device,
        running: Running = ALONE,
    ) -> None:
        self._examples = examples
        self._plan = plan
        self._settings = settings
        self._device = device
        self._running = running
        self._images = [[example.raw(name) for name in settings.channels] for example in examples]

    def learn(self, network: nn.Module, random: np.random.Generator) -> Iterator[Learned]:
        """The loss of a batch of regions, whose canvases differ in size; the last is shown."""
        losses, last = [], None
        for own in each_random(random, self._settings.batch):
            images, target = (each[None] for each in self.example(own))
            with self._running.mixed(self._device):
                logits = network(images.to(self._device, memory_format=channels_last(images.ndim - 2)))
            found, truth = heads(logits, self._plan.network), target.to(self._device)
            losses.append(supervised_dice(found, truth))
            last = images, found[0], truth
        if last is not None:
            yield Learned(torch.stack(losses).mean(), *last)

    def example(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A region of one of the examples, as the network is shown it.

        Args:
            random: Chooses the example, its points, how far its box is relaxed, and how it is varied.

        Returns:
            Images and maps of the points, float32 (channels, *canvas), and the target (1, *canvas) of 0 and 1.
        """
        number = int(random.integers(len(self._examples)))
        example, settings = self._examples[number], self._settings
        grid = _ras_grid(example)
        points = six_points(example.inside, grid.spacing, random).astype(np.float64)
        region = self._plan.region(points, grid, relaxed=float(random.uniform(*settings.relaxations)))
        picture = points_input(self._images[number], points, grid, region=region, plan=self._plan)
        target = resized(example.inside[region.slices], picture.shape[1:])[None]
        # The map moves with the images but keeps its own greys.
        channels = len(settings.channels)
        greys, others = augmented(
            torch.from_numpy(picture[:channels]),
            torch.from_numpy(np.concatenate([picture[channels:], target])),
            random,
            settings.augmentation,
        )
        return torch.cat([greys, others[:-1]]), (others[-1:] > 0.5).float()


def _ras_grid(example: Example) -> Grid:
    return as_ras(next(iter(example.volumes.values()))).grid
