"""Training of the 2.5D U-Net on slices with and without tumour. Imports torch.

Source: MSTT-199's trainer (Reasat et al.): a triplet of slices of each image, Dice and cross-entropy. Augmentation,
slices without tumour, the moving mean of the weights and the learning rate's schedule are those of the other methods.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import AnatomicalPlane
from datasets.study.image_kind import T1, T2
from training.fitting.choice import Trained, TrainingChoice, checkpoint_in
from training.fitting.examples import Example, ordered_examples
from training.fitting.loop import (
    FitProgress,
    LoopSettings,
    channels_last,
    fit_network,
    half_precision,
    laid_out,
    mixed_precision,
)
from training.fitting.losses import batch_dice_and_cross_entropy
from training.inputs.augmentation import Augmentation, augmented
from training.inputs.kinds import image_of
from training.inputs.slice_triplets import PictureRule, case_stack, resized_stack, triplets
from training.networks.unet25d import NEIGHBOURS, unet25d
from training.segmenters.weights import best_device

_DEVIATIONS = 4.0
"""Standard deviations of a picture's greys from black to white, about: the strengths of augmentations are in these."""


@dataclass(frozen=True)
class SliceSettings:
    """Settings of a 2.5D U-Net's training.

    Args:
        loop: Iterations, learning rate, seed.
        channels: Images the network sees, in its order.
        widths: Channels of its levels.
        rule: How volumes become pictures.
        batch: Slices an iteration.
        empty_slices: Share of slices without tumour, 0 up to below 1.
        augmentation: Strengths and probabilities of augmentations.

    Raises:
        RejectedInput: A value is out of range.
    """

    loop: LoopSettings
    channels: tuple[str, ...] = (T1, T2)
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    rule: PictureRule = field(default_factory=PictureRule)
    batch: int = 8
    empty_slices: float = 0.25
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(degrees=20.0, together=len(NEIGHBOURS)))

    def __post_init__(self) -> None:
        fit = self.batch >= 1 and 0.0 <= self.empty_slices < 1.0 and len(self.widths) >= 2 and min(self.widths) >= 1
        if not fit or self.rule.input_size % 2 ** (len(self.widths) - 1):
            raise RejectedInput(
                "fit-settings",
                "A training needs at least one slice, a share of empty slices below 1, at least two widths, and a "
                "picture size that halves once for each width but the last.",
                remedy="Correct the settings.",
            )


def fit(
    choice: TrainingChoice, examples: Sequence[Example], *, checkpoints: Path | None, progress: FitProgress | None
) -> Trained:
    """Fits the network of `training.table.rows.unet_25d`; see `training.fitting.choice.Fit`."""
    settings = SliceSettings(
        loop=LoopSettings(iterations=choice.own_iterations, seed=choice.seed, learning_rate=5e-3),
        channels=choice.channels,
        empty_slices=choice.option("empty_slices"),
    )
    ordered, device = ordered_examples(examples), best_device()
    shown = PictureSampler(ordered, settings)
    torch.manual_seed(settings.loop.seed)
    network = laid_out(unet25d(settings.widths, images=len(settings.channels)), device)

    def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        images, target = shown.batch(random)
        with mixed_precision(device):
            logits = network(images.to(device, memory_format=channels_last(2)))
        yield batch_dice_and_cross_entropy(logits, target.to(device))

    about = {"cases": [example.case for example in ordered], "settings": asdict(settings)}
    checkpoint = checkpoint_in(checkpoints, "network")
    losses = fit_network(network, learn, settings.loop, checkpoint=checkpoint, progress=progress, about=about)
    parameters = asdict(settings.rule) | {"widths": list(settings.widths)}
    return Trained(choice, parameters, [half_precision(network)], [losses])


class PictureSampler:
    """Samples slices of all examples.

    Args:
        examples: Masks with their images.
        settings: Of the training.

    Raises:
        RejectedInput: An image is missing (``sequence-missing``).
    """

    def __init__(self, examples: Sequence[Example], settings: SliceSettings) -> None:
        self._settings = settings
        self._stacks: list[NDArray[np.uint8]] = []
        self._targets: list[NDArray[np.bool_]] = []
        self._rules = [_rule_for(example, settings.augmentation) for example in examples]
        filled: list[tuple[int, int]] = []
        empty: list[tuple[int, int]] = []
        for number, example in enumerate(examples):
            stack, target = _pictures_of(example, settings)
            self._stacks.append(stack)
            self._targets.append(target)
            for index, tumour in enumerate(map(np.any, target)):
                (filled if tumour else empty).append((number, index))
        self._filled, self._empty = filled, empty

    def batch(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Triplets (N, 3 * images, size, size) in 0..1 and targets (N, 1, size, size) of 0 and 1.

        Raises:
            RejectedInput: No slice shows a tumour (``fit-no-tumour``): all are too small for the pictures.
        """
        if not self._filled:
            raise RejectedInput(
                "fit-no-tumour",
                "No picture shows a tumour: there is nothing to learn from.",
                remedy="Leave out cases whose tumour is smaller than a pixel of the network.",
            )
        wanted = random.random(self._settings.batch) < self._settings.empty_slices
        chosen = [self._empty if is_empty and self._empty else self._filled for is_empty in wanted]
        pairs = [self._varied(*slices[int(random.integers(len(slices)))], random) for slices in chosen]
        images, targets = zip(*pairs, strict=True)
        return torch.stack(images), torch.stack(targets)

    def _varied(self, number: int, index: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        picture = torch.from_numpy(triplets(self._stacks[number], [index])[0])
        target = torch.from_numpy(self._targets[number][None, index].astype(np.float32))
        varied, moved = augmented((picture - 0.5) * _DEVIATIONS, target, random, self._rules[number])
        return (varied / _DEVIATIONS + 0.5).clamp(0.0, 1.0), (moved > 0.5).float()


def _rule_for(example: Example, rule: Augmentation) -> Augmentation:
    """Pictures that show a patient from head to foot are not turned upside down (decision 17)."""
    return rule if example.plane.anatomical is AnatomicalPlane.AXIAL else replace(rule, mirrored=(1,))


def _pictures_of(example: Example, settings: SliceSettings) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An example's grey pictures (images, count, size, size) and its mask (count, size, size)."""
    rule, plane = settings.rule, example.plane
    volumes = {kind: image_of(example.volumes, kind) for kind in settings.channels}
    foreground = plane.stack(example.mask.foreground).astype(np.float32)
    target = resized_stack(foreground, (rule.input_size, rule.input_size)) >= 0.5
    return case_stack(volumes, plane, rule), target
