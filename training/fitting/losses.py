"""Losses of all methods. Imports torch."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

_SMOOTHING = 1e-5
"""Keeps an empty mask's Dice from dividing by zero (2S-ICR, equation 2)."""


def dice_and_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice of each sample, averaged, plus binary cross-entropy.

    Args:
        logits: (B, 1, …).
        target: (B, 1, …) of 0 and 1.

    Source: 2S-ICR, equations 1 to 3.
    """
    missed = functional.binary_cross_entropy_with_logits(logits.float(), target.float())
    return (1.0 - soft_dice(logits, target)).mean() + missed


def batch_dice_and_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """As `dice_and_cross_entropy`, with one Dice over the whole batch, so that an empty slice has none of its own."""
    return dice_and_cross_entropy(logits.movedim(0, 1), target.movedim(0, 1))


def soft_dice(logits: Tensor, target: Tensor) -> Tensor:
    """Dice of each sample's probabilities, (B,)."""
    probability, truth = torch.sigmoid(logits.float()), target.float()
    axes = tuple(range(1, logits.ndim))
    overlap = (probability * truth).sum(axes)
    return (2.0 * overlap + _SMOOTHING) / (probability.sum(axes) + truth.sum(axes) + _SMOOTHING)


class SliceLoss(StrEnum):
    """What the training of a network on slices makes small."""

    DICE_BCE = "dice-bce"
    """One Dice over the batch, and binary cross-entropy."""

    BCE = "bce"
    """Binary cross-entropy (MSTT-199)."""

    DICE_CE = "dice-ce"
    """MONAI's DiceCELoss with squared predictions (MSTT-199's other)."""


def slice_loss(answer: Tensor | tuple[Tensor, Tensor], target: Tensor, kind: SliceLoss) -> Tensor:
    """The loss of a batch of slices.

    Args:
        answer: Logits (B, 1, H, W); of a network that estimates its masks' IoU also those estimates (B,), whose mean
            squared error is added (LiteMedSAM).
        target: (B, 1, H, W) of 0 and 1.
        kind: Which loss.
    """
    logits, quality = answer if isinstance(answer, tuple) else (answer, None)
    if kind is SliceLoss.BCE:
        loss = functional.binary_cross_entropy_with_logits(logits.float(), target.float())
    elif kind is SliceLoss.DICE_CE:
        loss = _monai_dice_ce()(logits.float(), target.float())
    else:
        loss = batch_dice_and_cross_entropy(logits, target)
    if quality is None:
        return loss
    return loss + functional.mse_loss(quality.float(), overlap(logits, target))


def overlap(logits: Tensor, target: Tensor) -> Tensor:
    """IoU (B,) of each mask (logits above 0) with its target; 1 where both are empty."""
    inside, truth = logits.detach().flatten(1) > 0, target.flatten(1) > 0.5
    union = (inside | truth).sum(1)
    shared = (inside & truth).sum(1)
    return torch.where(union > 0, shared / union.clamp_min(1), torch.ones_like(union, dtype=torch.float32))


@cache
def _monai_dice_ce() -> nn.Module:
    from monai.losses import DiceCELoss

    return DiceCELoss(sigmoid=True, squared_pred=True)


def supervised_dice(heads: Sequence[Tensor], target: Tensor) -> Tensor:
    """1 - Dice of every head, halved from one to the next coarser, weights adding up to 1 (nnU-Net)."""
    weights = [0.5**level for level in range(len(heads))]
    found = [weight * (1.0 - soft_dice(head, target)).mean() for weight, head in zip(weights, heads, strict=True)]
    return torch.stack(found).sum() / sum(weights)


def supervised_entropy(heads: Sequence[Tensor], target: Tensor) -> Tensor:
    """Binary cross-entropy of every head, weighted as in `supervised_dice`."""
    weights = [0.5**level for level in range(len(heads))]
    found = [
        weight * functional.binary_cross_entropy_with_logits(head.float(), target.float())
        for weight, head in zip(weights, heads, strict=True)
    ]
    return torch.stack(found).sum() / sum(weights)
