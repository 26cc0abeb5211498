"""Dice and cross-entropy, by hand on small examples."""

import math

import pytest
import torch

from training.fitting.losses import dice_and_cross_entropy, soft_dice, supervised_dice


def test_by_hand() -> None:
    logits = torch.tensor([[[0.0, 0.0, 0.0, 0.0]], [[2.0, -2.0, 2.0, -2.0]]])
    target = torch.tensor([[[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]]])
    p, q = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(2))
    dices = [2 * 1.0 / (2.0 + 2.0), 2 * p / (2 * p + 2 * q + 1)]
    entropy = (4 * math.log(2) - 3 * math.log(p) - math.log(q)) / 8
    expected = 1 - sum(dices) / 2 + entropy
    assert float(dice_and_cross_entropy(logits, target)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("inside", [0.0, 1.0])
def test_right_costs_nothing_and_wrong_much(inside: float) -> None:
    target = torch.full((1, 1, 4, 4, 4), inside)
    right = (target * 2 - 1) * 30
    assert float(dice_and_cross_entropy(right, target)) == pytest.approx(0.0, abs=1e-3)
    assert float(dice_and_cross_entropy(-right, target)) > 10


def test_half_precision_is_counted_in_full() -> None:
    logits, target = torch.randn(1, 1, 40, 40, 40), torch.ones(1, 1, 40, 40, 40)
    full = float(dice_and_cross_entropy(logits.bfloat16().float(), target))
    assert float(dice_and_cross_entropy(logits.bfloat16(), target.bool())) == pytest.approx(full, rel=1e-6)


def test_coarser_heads_count_half_as_much_each() -> None:
    target = (torch.rand(1, 1, 8, 8) > 0.5).float()
    found = [torch.randn(1, 1, 8, 8) for _ in range(3)]
    one, two, three = (1 - float(soft_dice(head, target)) for head in found)
    assert float(supervised_dice(found, target)) == pytest.approx((4 * one + 2 * two + three) / 7, rel=1e-5)
    assert float(supervised_dice(found[:1], target)) == pytest.approx(one, rel=1e-6)


def test_each_sample_has_its_own_dice() -> None:
    target = torch.zeros(2, 1, 4, 4)
    target[1] = 1.0
    logits = torch.full((2, 1, 4, 4), 30.0)
    torch.testing.assert_close(soft_dice(logits, target), torch.tensor([0.0, 1.0]), atol=1e-4, rtol=0)
