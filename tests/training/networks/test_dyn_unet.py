"""The U-Net of all prompted methods: one logit a voxel, coarser heads in training only."""

import pytest
import torch

from training.networks.dyn_unet import dyn_unet, heads
from training.networks.planning import plan_unet
from training.networks.unet_plan import UNetPlan

PLANS = {
    "3d": UNetPlan.uniform(channels=2, widths=(4, 8, 8)),
    "2d": UNetPlan.uniform(channels=3, widths=(4, 8, 8), dimensions=2),
    "anisotropic": plan_unet(channels=1, widths=(4, 8, 8, 8), spacing=(1, 1, 4), shape=(32, 32, 8), supervised=0),
}


@pytest.mark.parametrize("name", PLANS)
def test_one_logit_a_voxel(name: str) -> None:
    plan = PLANS[name]
    size = tuple(3 * step for step in plan.divisor)
    network = dyn_unet(plan)
    for mode in (True, False):
        network.train(mode)
        logits = network(torch.randn(2, plan.channels, *size))
        assert logits.shape == (2, 1, *size)
        assert [head.shape for head in heads(logits, plan)] == [logits.shape]


def test_coarser_heads_are_there_in_training_only() -> None:
    plan = UNetPlan.uniform(channels=1, widths=(4, 8, 8, 16), supervised=2)
    network = dyn_unet(plan)
    found = heads(network(torch.randn(1, 1, 16, 16, 16)), plan)
    assert [head.shape for head in found] == [(1, 1, 16, 16, 16)] * 3
    assert all(not torch.equal(found[0], other) for other in found[1:])
    assert network.eval()(torch.randn(1, 1, 16, 16, 16)).shape == (1, 1, 16, 16, 16)


def test_without_coarser_heads_it_is_the_same_network() -> None:
    torch.manual_seed(0)
    supervised = dyn_unet(UNetPlan.uniform(channels=1, widths=(4, 8, 8, 16), supervised=2)).eval()
    plain = dyn_unet(UNetPlan.uniform(channels=1, widths=(4, 8, 8, 16)))
    names = plain.state_dict().keys()
    plain.load_state_dict({name: tensor for name, tensor in supervised.state_dict().items() if name in names})
    image = torch.randn(1, 1, 16, 16, 16)
    assert torch.equal(plain.eval()(image), supervised(image))
