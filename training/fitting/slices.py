"""Training of a network on slices, whatever the network. Imports torch.

Source: MSTT-199's trainers (Reasat et al.): a triplet of slices of each image, a U-Net or LiteMedSAM. Our augmentation,
the moving mean of the weights and the learning rate's schedule are those of the other methods.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

import numpy as np
import torch
from torch import nn

from datasets.errors import RejectedInput
from training.fitting.choice import Trained, TrainingChoice, checkpoint_in
from training.fitting.examples import Example, ordered_examples
from training.fitting.loop import described_settings, fit_network
from training.fitting.losses import SliceLoss, slice_loss
from training.fitting.running.layout import channels_last, half_precision, laid_out
from training.fitting.running.optimisers import Optimiser, Schedule
from training.fitting.running.running import ALONE, FitProgress, Learn, Learned, Running
from training.fitting.running.settings import LoopSettings
from training.fitting.slice_begin import Adapter, Begin, Encoder, FirstLayer, FirstWeights, begun_network
from training.fitting.slice_sampler import PictureSampler, Shown, Variation
from training.inputs.augmentation import Augmentation
from training.inputs.slice_triplets import PictureRule
from training.networks.slice_networks import SliceNetwork, halvings
from training.networks.unet25d import NEIGHBOURS
from training.segmenters.slices.slice_plan import Copies, Crop, Planes, SlicePlan
from training.segmenters.weights import best_device
from training.table.option import FIRST_WEIGHTS

_WIDTHS = (16, 32, 64, 128, 256)
"""Channels of the levels of the small U-Net."""


@dataclass(frozen=True)
class SliceSettings:
    """Settings of a training on slices.

    Args:
        loop: Iterations, optimiser, learning rate, seed.
        plan: Of the model that learns.
        begin: How it begins.
        loss: What is made small.
        batch: Slices an iteration.
        empty_slices: Share of slices without tumour, 0 up to below 1.
        variation: How slices are varied.
        augmentation: Strengths of our own variation.
        epochs: Passes over the slices with tumour, instead of the loop's iterations.

    Raises:
        RejectedInput: A value is out of range.
    """

    loop: LoopSettings
    plan: SlicePlan
    begin: Begin = field(default_factory=Begin)
    loss: SliceLoss = SliceLoss.DICE_BCE
    batch: int = 8
    empty_slices: float = 0.25
    variation: Variation = Variation.OWN
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(degrees=20.0, together=len(NEIGHBOURS)))
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.batch < 1 or not 0.0 <= self.empty_slices < 1.0 or (self.epochs is not None and self.epochs < 1):
            raise RejectedInput(
                "fit-settings",
                "A training needs at least one slice, one epoch, and a share of empty slices below 1.",
                remedy="Correct the settings.",
            )

    @classmethod
    def of_choice(cls, choice: TrainingChoice) -> "SliceSettings":
        """The settings that a person's choice means."""
        loop = LoopSettings(
            iterations=choice.own_iterations,
            learning_rate=choice.option("learning_rate"),
            weight_decay=choice.option("weight_decay"),
            averaging=choice.option("averaging"),
            seed=choice.seed,
            **choice.loop,
            optimiser=Optimiser(choice.option("optimiser")),
            schedule=Schedule(choice.option("schedule")),
        )
        # A method without the option is LiteMedSAM's.
        network = SliceNetwork(choice.option("network") or SliceNetwork.LITE_MEDSAM)
        widths = _WIDTHS if network is SliceNetwork.RESIDUAL else ()
        plan = SlicePlan(
            _picture_rule(choice.option("picture_size"), step=2 ** halvings(network, widths)),
            widths=widths,
            architecture=network,
            planes=Planes(choice.option("planes")),
            copies=Copies(choice.option("copies")),
            crop=Crop(choice.option("crop")),
        )
        return cls(
            loop=loop,
            plan=plan,
            begin=Begin(
                FirstLayer(choice.option("first_layer") or FirstLayer.ADAPTED),
                Encoder(choice.option("encoder") or Encoder.TRAINED),
                Adapter(choice.option("adapter") or Adapter.LEARNED),
            ),
            loss=SliceLoss(choice.option("loss")),
            batch=choice.option("batch"),
            empty_slices=choice.option("empty_slices"),
            variation=Variation(choice.option("variation")),
            epochs=choice.option("epochs"),
        )

    @property
    def shown(self) -> Shown:
        """What the network is shown."""
        return Shown(self.batch, self.empty_slices, self.variation, self.augmentation)

    def in_iterations(self, of_epoch: int) -> "SliceSettings":
        """The same, with the iterations that its epochs are."""
        if self.epochs is None:
            return self
        iterations = ceil(self.epochs * of_epoch / self.loop.accumulate)
        return replace(self, loop=replace(self.loop, iterations=iterations))

    def begun_from(self, sha256: str) -> "SliceSettings":
        """The same, with the published weights that it begins with, by which a checkpoint is known."""
        return replace(self, begin=replace(self.begin, weights_sha256=sha256))


def _picture_rule(size: int | None, *, step: int) -> PictureRule:
    """Pictures of a chosen side; LiteMedSAM's is its own."""
    if size is None:
        return PictureRule()
    if size % step:
        raise RejectedInput(
            "fit-settings",
            f"The network halves its pictures until a side of {step} pixels is one: {size} is no multiple of {step}.",
            remedy=f"Choose --picture-size {max(step, round(size / step) * step)}.",
        )
    return PictureRule(input_size=size)


def fit(
    choice: TrainingChoice,
    examples: Sequence[Example],
    *,
    checkpoints: Path | None,
    progress: FitProgress | None,
    running: Running,
) -> Trained:
    """Fits a network on slices; see `training.fitting.choice.Fit`."""
    settings = SliceSettings.of_choice(choice)
    file = choice.option("encoder_weights")
    weights = FirstWeights.read(settings.plan.architecture, Path(file) if file else None)
    network, losses = fit_slices(
        examples,
        choice.channels,
        settings,
        weights=weights,
        checkpoint=checkpoint_in(checkpoints, "network"),
        progress=progress,
        running=running,
    )
    begun = {FIRST_WEIGHTS: weights.sha256} if weights.sha256 else {}
    # How many members there are, the package says.
    plan = {name: value for name, value in settings.plan.parameters.items() if name != "members"}
    return Trained(choice, plan | begun, [half_precision(network)], [losses])


def fit_slices(
    examples: Sequence[Example],
    channels: Sequence[str],
    settings: SliceSettings,
    *,
    weights: FirstWeights | None = None,
    checkpoint: Path | None = None,
    progress: FitProgress | None = None,
    running: Running = ALONE,
) -> tuple[nn.Module, list[float]]:
    """Fits one network.

    Args:
        examples: Masks with their images.
        channels: Kinds of the images that it sees, in its order.
        settings: Of the training.
        weights: Published weights to begin with; LiteMedSAM cannot do without.
        checkpoint: File to go on from, and to update.
        progress: Called after every iteration.
        running: Precision, set-aside cases, board.

    Returns:
        The network, and the losses.

    Raises:
        RejectedInput: An image is missing, no slice shows a tumour, the loss diverged, or the checkpoint is another's.
    """
    ordered, device = ordered_examples(examples), best_device()

    def sampler_of(cases: Sequence[Example]) -> PictureSampler:
        return PictureSampler(cases, channels, settings.plan, shown=settings.shown, prepared=running.prepared)

    sampler, aside = sampler_of(ordered), sampler_of(ordered_examples(running.aside)) if running.aside else None
    known = weights or FirstWeights()
    settings = settings.in_iterations(sampler.iterations_of_epoch).begun_from(known.sha256)
    torch.manual_seed(settings.loop.seed)
    network = laid_out(begun_network(settings.plan, settings.begin, known, images=len(channels)), device)

    def learn_on(sampler: PictureSampler) -> Learn:
        def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Learned]:
            images, target = sampler.batch(random)
            with running.mixed(device):
                answer = network(images.to(device, memory_format=channels_last(2)))
            truth = target.to(device)
            logits = answer[0] if isinstance(answer, tuple) else answer
            yield Learned(slice_loss(answer, truth, settings.loss), images, logits, truth)

        return learn

    about = {
        "cases": [example.case for example in ordered],
        "channels": list(channels),
        "settings": described_settings(settings),
    }
    losses = fit_network(
        network,
        learn_on(sampler),
        settings.loop,
        batch=settings.batch,
        aside=learn_on(aside) if aside else None,
        checkpoint=checkpoint,
        progress=progress,
        running=running,
        about=about | running.aside_cases,
    )
    return network, losses
