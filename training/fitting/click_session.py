"""A simulated user's clicks on training canvases, and the losses of the network's answers. Imports torch.

Two schemes: *gathered* simulates a session without learning and takes the loss of its last answer (DeepGrow,
DeepEdit); *at every click* takes the loss of each answer, made on top of the previous probability (2S-ICR).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from datasets.errors import RejectedInput
from datasets.study.image_kind import T1
from training.fitting.losses import dice_and_cross_entropy
from training.fitting.running.portion import each_random
from training.fitting.running.running import Learned
from training.fitting.running.settings import LoopSettings
from training.inputs.augmentation import Augmentation, bent
from training.inputs.canvas import Picture, Shape
from training.inputs.intensity_rules import rule_of
from training.networks.unet_plan import UNetPlan
from training.prompts.simulated_clicks import ClickRule, next_click
from training.segmenters.clicks.click_plan import CanvasClicks, ClickPlan
from training.segmenters.clicks.click_predictor import INSIDE

Predict = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ClickSettings:
    """Settings of a click model's training.

    Args:
        loop: Iterations, learning rate, seed.
        channels: Images the networks see.
        canvas: Size that regions are resampled to; two sizes for a method that draws slice by slice.
        widths: Channels of the networks' levels.
        batch: Canvases an iteration.
        most_clicks: The number of clicks of a session is drawn from 1 to this (2S-ICR: 15).
        click_free: Share of iterations without clicks (DeepEdit: 0.25, 0.5; DeepGrow: 0).
        at_every_click: Whether an optimizer step is done at every click, on the previous probability (2S-ICR).
        wander: Share of sessions whose target mask is deformed, so that only clicks tell where its edge is; without it
            a network that has memorised its training cases learns to ignore clicks.
        mask_dropout: How often the previous probability is replaced by no information (2S-ICR: 0.2).
        rule: Rule by which the simulated user chooses clicks.
        whole: How often most of the image is used instead of the tumour's surroundings.
        augmentation: Strengths and probabilities of augmentations.
    """

    loop: LoopSettings
    channels: tuple[str, ...] = (T1,)
    canvas: Shape = (48, 48, 32)
    widths: tuple[int, ...] = (16, 32, 64, 96)
    batch: int = 1
    most_clicks: int = 10
    click_free: float = 0.0
    at_every_click: bool = False
    wander: float = 0.5
    mask_dropout: float = 0.2
    rule: ClickRule = ClickRule.DEEPGROW
    whole: float = 0.4
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(invert=0.1))

    def __post_init__(self) -> None:
        shares = (self.click_free, self.wander, self.mask_dropout, self.whole)
        if not (self.batch >= 1 and self.most_clicks >= 1 and all(0.0 <= share <= 1.0 for share in shares)):
            raise RejectedInput(
                "fit-settings",
                "A training needs at least one canvas and one click, and shares between 0 and 1.",
                remedy="Correct the settings.",
            )

    def plan(self, *, automatic: bool) -> ClickPlan:
        """The plan of the trained model, with or without an automatic first network."""
        images = len(self.channels)
        refiner = UNetPlan.uniform(
            channels=images + 2 + self.at_every_click, widths=self.widths, dimensions=len(self.canvas)
        )
        first = UNetPlan.uniform(channels=images, widths=self.widths, dimensions=len(self.canvas))
        return ClickPlan(
            channels={name: rule_of(name) for name in self.channels},
            canvas=self.canvas,
            refiner=refiner,
            automatic=first if automatic else None,
            sees_previous=self.at_every_click,
        )


class ClickSession:
    """A simulated user's clicks on a batch of canvases.

    Args:
        plan: Of the model that learns.
        settings: Of its training.
        device: Where losses are computed.
    """

    def __init__(self, plan: ClickPlan, settings: ClickSettings, device: torch.device) -> None:
        self._plan = plan
        self._settings = settings
        self._device = device

    def gathered(
        self, predict: Predict, images: Tensor, target: Tensor, *, random: np.random.Generator, first: Predict | None
    ) -> Iterator[Learned]:
        """One loss after all clicks of the session (DeepGrow); or after none (DeepEdit's click-free iterations)."""
        free = random.random() < self._settings.click_free
        count = 0 if free else int(random.integers(self._settings.most_clicks)) + 1
        wanders = bool(count) and random.random() < self._settings.wander
        each = each_random(random, len(target))
        if wanders:
            target = _each_bent(target, each)
        truth = target[:, 0].numpy() > INSIDE
        clicks: list[list[Any]] = [[] for _ in truth]
        inside = np.zeros_like(truth)
        for number in range(count):
            self._click(clicks, truth, inside, each)
            if number < count - 1:
                with torch.no_grad():
                    inside = predict(self.input_of(images, clicks, None))[:, 0].cpu().float().numpy() > 0.0
        logits, wanted = predict(self.input_of(images, clicks, None)), target.to(self._device)
        yield Learned(dice_and_cross_entropy(logits, wanted), images, logits, wanted)

    def at_every_click(
        self, predict: Predict, images: Tensor, target: Tensor, *, random: np.random.Generator, first: Predict | None
    ) -> Iterator[Learned]:
        """A loss at every click, each on top of the last answer (2S-ICR, section 4.3)."""
        wanders, each = random.random() < self._settings.wander, each_random(random, len(target))
        if wanders:
            target = _each_bent(target, each)
        wanted = target.to(self._device)
        truth = target[:, 0].numpy() > INSIDE
        clicks: list[list[Any]] = [[] for _ in truth]
        previous = self._start(images, random, first, each)
        for _ in range(int(random.integers(self._settings.most_clicks)) + 1):
            inside = np.zeros_like(truth) if previous is None else previous > INSIDE
            self._click(clicks, truth, inside, each)
            # Drawn in every turn, so that all portions of a batch draw alike.
            dropped = bool(random.random() < self._settings.mask_dropout) or previous is None
            logits = predict(self.input_of(images, clicks, None if dropped else previous))
            previous = torch.sigmoid(logits.detach())[:, 0].cpu().float().numpy()
            yield Learned(dice_and_cross_entropy(logits, wanted), images, logits, wanted)

    def _start(
        self,
        images: Tensor,
        random: np.random.Generator,
        first: Predict | None,
        each: Sequence[np.random.Generator],
    ) -> NDArray[np.float32] | None:
        """The first network's probability, made worse at random: on its training images it has too few errors.

        Sometimes None, so that a session can also begin with a click.
        """
        if first is None or random.random() < self._settings.mask_dropout:
            return None
        with torch.no_grad():
            logits = first(images).cpu().float()
        shape = (1, *(4,) * len(self._plan.canvas))
        coarse = torch.from_numpy(np.stack([own.normal(0.0, own.uniform(0.0, 4.0), shape) for own in each]))
        mode = "trilinear" if len(self._plan.canvas) == 3 else "bilinear"
        noise = functional.interpolate(coarse.float(), size=self._plan.canvas, mode=mode)
        found: NDArray[np.float32] = torch.sigmoid(logits + noise)[:, 0].numpy()
        return found

    def _click(
        self,
        clicks: list[list[Any]],
        truth: NDArray[np.bool_],
        inside: NDArray[np.bool_],
        each: Sequence[np.random.Generator],
    ) -> None:
        for own, wanted, drawn, random in zip(clicks, truth, inside, each, strict=True):
            made = next_click(wanted, drawn, random, rule=self._settings.rule)
            if made is not None:
                own.append(made)

    def input_of(self, images: Tensor, clicks: list[list[Any]], previous: NDArray[np.float32] | None) -> Tensor:
        """The network's input, made by the plan that is also used in service.

        Args:
            images: float32 (canvases, images, *canvas), normalised.
            clicks: Those of each canvas.
            previous: Probability (canvases, *canvas) of the answer before; None where there is none.

        Returns:
            float32 (canvases, channels, *canvas).
        """
        axes = len(self._plan.canvas)
        shown: list[Picture] = []
        for number, own in enumerate(clicks):
            signs = [
                np.array([c.index for c in own if c.positive is sign], float).reshape(-1, axes)
                for sign in (True, False)
            ]
            before = None if previous is None else previous[number]
            shown.append(self._plan.refiner_input(images[number].numpy(), CanvasClicks(*signs), before))
        return torch.from_numpy(np.stack(shown))


def _each_bent(masks: Tensor, each: Sequence[np.random.Generator]) -> Tensor:
    """Masks (B, 1, …) bent, each by a generator of its own."""
    return torch.cat([bent(mask[None], own) for mask, own in zip(masks, each, strict=True)])
