"""Losses of the prompted methods. Imports torch."""

from collections.abc import Sequence

import torch
from torch import Tensor
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
