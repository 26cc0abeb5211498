"""Training of click methods (DeepGrow, DeepEdit, 2S-ICR) in 2D and 3D with simulated users. Imports torch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.fitting.choice import Trained, TrainingChoice, checkpoint_in
from training.fitting.click_session import ClickSession, ClickSettings, Predict
from training.fitting.examples import Example, PreparedExamples
from training.fitting.loop import described_settings, fit_network
from training.fitting.losses import dice_and_cross_entropy
from training.fitting.running.layout import channels_last, half_precision, laid_out
from training.fitting.running.running import ALONE, FitProgress, Learn, Learned, Running
from training.fitting.running.settings import LoopSettings
from training.fitting.samplers import CanvasSampler, SliceSampler, VolumeSampler
from training.model_package import Tensors
from training.networks.dyn_unet import dyn_unet
from training.networks.unet_plan import UNetPlan
from training.segmenters.clicks.click_plan import ClickPlan
from training.segmenters.weights import best_device

_AUTOMATIC_ITERATIONS = 700
"""Iterations of two-stage's first network."""


def fit_clicks_2d(
    choice: TrainingChoice,
    examples: Sequence[Example],
    *,
    checkpoints: Path | None,
    progress: FitProgress | None,
    running: Running,
) -> Trained:
    """Fits the network of `training.table.rows.clicks_2d`; see `training.fitting.choice.Fit`."""
    flat = {"canvas": (128, 128), "widths": (16, 32, 64, 96, 128), "batch": 6}
    settings = _settings(choice, at_every_click=True, **flat)
    checkpoint = checkpoint_in(checkpoints, "refiner")
    return _one_network(choice, examples, settings, checkpoint=checkpoint, progress=progress, running=running)


def fit_clicks_3d(
    choice: TrainingChoice,
    examples: Sequence[Example],
    *,
    checkpoints: Path | None,
    progress: FitProgress | None,
    running: Running,
) -> Trained:
    """Fits the network of `clicks_3d` and `deepedit` in `training.table.rows`; see `training.fitting.choice.Fit`."""
    settings = _settings(choice, click_free=choice.option("click_free") or 0.0)
    checkpoint = checkpoint_in(checkpoints, "refiner")
    return _one_network(choice, examples, settings, checkpoint=checkpoint, progress=progress, running=running)


def fit_two_stage(
    choice: TrainingChoice,
    examples: Sequence[Example],
    *,
    checkpoints: Path | None,
    progress: FitProgress | None,
    running: Running,
) -> Trained:
    """Fits both networks of `training.table.rows.two_stage`; see `training.fitting.choice.Fit`."""
    iterations = choice.option("automatic_iterations") or _AUTOMATIC_ITERATIONS
    first, first_losses = fit_automatic(
        examples,
        _settings(choice, at_every_click=True, loop=_loop(choice, iterations)),
        checkpoint=checkpoint_in(checkpoints, "automatic"),
        progress=progress,
        running=running.of_network("automatic"),
    )
    settings = _settings(choice, at_every_click=True)
    tensors, losses = fit_refiner(
        examples,
        settings,
        automatic=first,
        checkpoint=checkpoint_in(checkpoints, "refiner"),
        progress=progress,
        running=running.of_network("refiner"),
    )
    return Trained(choice, settings.plan(automatic=True).parameters, [tensors, first], [losses, first_losses])


def _one_network(
    choice: TrainingChoice,
    examples: Sequence[Example],
    settings: ClickSettings,
    *,
    checkpoint: Path | None,
    progress: FitProgress | None,
    running: Running,
) -> Trained:
    tensors, losses = fit_refiner(examples, settings, checkpoint=checkpoint, progress=progress, running=running)
    return Trained(choice, settings.plan(automatic=False).parameters, [tensors], [losses])


def _settings(choice: TrainingChoice, **own: Any) -> ClickSettings:
    """The settings of a choice, with those of its method; a canvas that was chosen goes before the method's."""
    canvas = choice.option("canvas")
    chosen: dict[str, Any] = {"loop": _loop(choice, choice.own_iterations), "channels": choice.channels}
    return ClickSettings(**chosen | own | ({} if canvas is None else {"canvas": canvas}))


def _loop(choice: TrainingChoice, iterations: int) -> LoopSettings:
    return LoopSettings(iterations=iterations, seed=choice.seed, learning_rate=3e-3, **choice.loop)


def fit_automatic(
    examples: Sequence[Example],
    settings: ClickSettings,
    *,
    checkpoint: Path | None = None,
    progress: FitProgress | None = None,
    running: Running = ALONE,
) -> tuple[dict[str, NDArray[Any]], list[float]]:
    """Fits 2S-ICR's first network, which sees images only.

    Returns:
        The tensors in half precision, and the losses.

    Raises:
        RejectedInput: An image is missing, the loss diverged, or the checkpoint is another training's.
    """
    device, plan = best_device(), settings.plan(automatic=True)
    network = _network(plan.automatic or plan.refiner, settings, device)

    def learn_on(cases: Sequence[Example]) -> Learn:
        shown = canvas_sampler(cases, settings, plan)

        def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Learned]:
            images, target = shown.batch(random, settings.batch)
            logits, truth = _predict(network, device, running)(images), target.to(device)
            yield Learned(dice_and_cross_entropy(logits, truth), images, logits, truth)

        return learn

    losses = fit_network(
        network,
        learn_on(examples),
        settings.loop,
        batch=settings.batch,
        aside=learn_on(running.aside) if running.aside else None,
        checkpoint=checkpoint,
        progress=progress,
        running=running,
        about=_about("automatic", examples, settings) | running.aside_cases,
    )
    return half_precision(network), losses


def fit_refiner(
    examples: Sequence[Example],
    settings: ClickSettings,
    *,
    automatic: Tensors | None = None,
    checkpoint: Path | None = None,
    progress: FitProgress | None = None,
    running: Running = ALONE,
) -> tuple[dict[str, NDArray[Any]], list[float]]:
    """Fits the refiner: the network that sees clicks.

    Args:
        examples: Masks with their images.
        settings: Settings of the training.
        automatic: The first network's tensors, for 2S-ICR; the first click corrects its answer.
        checkpoint: File to go on from, and to update.
        progress: Called after every iteration.
        running: Precision, set-aside cases, board.

    Returns:
        The tensors in half precision, and the losses.

    Raises:
        RejectedInput: An image is missing, the loss diverged, or the checkpoint is another training's.
    """
    device, plan = best_device(), settings.plan(automatic=automatic is not None)
    first = None
    if automatic is not None and plan.automatic is not None:
        built = dyn_unet(plan.automatic)
        built.load_state_dict({name: torch.from_numpy(tensor).float() for name, tensor in automatic.items()})
        first = _predict(laid_out(built, device).eval(), device, running)
    session = ClickSession(plan, settings, device)
    network = _network(plan.refiner, settings, device)
    if automatic is not None:
        begin_with(network, automatic)

    def learn_on(cases: Sequence[Example]) -> Learn:
        shown = canvas_sampler(cases, settings, plan)

        def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Learned]:
            images, target = shown.batch(random, settings.batch)
            run = session.at_every_click if settings.at_every_click else session.gathered
            yield from run(_predict(network, device, running), images, target, random=random, first=first)

        return learn

    about = _about("refiner" if first is None else "refiner of an automatic network", examples, settings)
    losses = fit_network(
        network,
        learn_on(examples),
        settings.loop,
        batch=settings.batch,
        aside=learn_on(running.aside) if running.aside else None,
        checkpoint=checkpoint,
        progress=progress,
        running=running,
        about=about | running.aside_cases,
    )
    return half_precision(network), losses


def _predict(network: nn.Module, device: torch.device, running: Running) -> Predict:
    def predict(images: Tensor) -> Tensor:
        with running.mixed(device):
            logits: Tensor = network(images.to(device, memory_format=channels_last(images.ndim - 2)))
        return logits

    return predict


def _about(network: str, examples: Sequence[Example], settings: ClickSettings) -> dict[str, Any]:
    """The settings and data that a checkpoint depends on."""
    return {
        "network": network,
        "cases": sorted(each.case for each in examples),
        "settings": described_settings(settings),
    }


def _network(plan: UNetPlan, settings: ClickSettings, device: torch.device) -> nn.Module:
    torch.manual_seed(settings.loop.seed)
    return laid_out(dyn_unet(plan), device)


def begin_with(network: nn.Module, automatic: Tensors) -> None:
    """Initialises a refiner with the first network's weights, and zeros for clicks and the previous probability.

    2S-ICR trains both from scratch; with few cases and steps, they are better spent on learning clicks.

    Args:
        network: The refiner; changed.
        automatic: The first network's tensors.
    """
    known = network.state_dict()
    for name, tensor in automatic.items():
        begun = torch.from_numpy(tensor).to(known[name].dtype)
        if begun.shape == known[name].shape:
            known[name] = begun
        else:
            known[name] = torch.zeros_like(known[name])
            known[name][:, : begun.shape[1]] = begun
    network.load_state_dict(known)


def canvas_sampler(examples: Sequence[Example], settings: ClickSettings, plan: ClickPlan) -> CanvasSampler:
    """What draws canvases from the examples: slices or volumes, as the settings say.

    Raises:
        RejectedInput: An image is missing (``sequence-missing``), or there is no example.
    """
    prepared = PreparedExamples(examples, plan.channels)
    if len(settings.canvas) == 2:
        return SliceSampler(prepared, settings.canvas, settings.augmentation)
    return VolumeSampler(prepared, settings.canvas, settings.augmentation, whole=settings.whole)
