"""The memory check: it counts what torch keeps, and names the setting that makes a step smaller."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datasets.errors import RejectedInput
from training.fitting.losses import dice_and_cross_entropy
from training.fitting.running.free_memory import free_bytes
from training.fitting.running.needs import Need, need_of, require_memory
from training.networks.dyn_unet import dyn_unet
from training.networks.unet_plan import UNetPlan


def learn_on(side: int, batch: int = 1):  # type: ignore[no-untyped-def]
    def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        images = torch.from_numpy(random.standard_normal((batch, 1, side, side, side)).astype(np.float32))
        yield dice_and_cross_entropy(network(images), (images > 0).float())

    return learn


def counted_by_torch(network: nn.Module, side: int, batch: int) -> int:
    """Bytes that torch really keeps of the forward pass, weights aside."""
    own = {each.untyped_storage().data_ptr() for each in network.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        answer = network(torch.rand(batch, 1, side, side, side))
    assert answer.requires_grad
    return sum(kept.values())


@pytest.mark.slow
@pytest.mark.parametrize(("side", "batch"), [(16, 1), (32, 1), (16, 3)])
def test_the_estimate_is_near_what_torch_keeps(side: int, batch: int) -> None:
    network = dyn_unet(UNetPlan.uniform(channels=1, widths=(8, 16, 32)))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    need = need_of(network, learn_on(side, batch), np.random.default_rng(0))
    assert need is not None
    assert need.weights == 5 * 4 * sum(each.numel() for each in network.parameters())
    real = counted_by_torch(network, side, batch)
    assert real <= need.kept <= 1.6 * real
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_half_the_bytes_where_half_are_kept() -> None:
    network = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.Conv3d(4, 1, 3))
    whole, half = (need_of(network, plain, np.random.default_rng(0), share=share) for share in (1.0, 0.5))
    assert whole is not None
    assert half is not None
    assert half.kept == whole.kept // 2


def plain(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
    yield network(torch.ones(1, 1, 12, 12, 12)).sum()


def test_a_network_that_needs_numbers_is_not_estimated() -> None:
    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, images: Tensor) -> Tensor:
            return images * (self.weight if float(images.sum()) > 0 else -self.weight)

    assert need_of(Looking(), plain, np.random.default_rng(0)) is None
    require_memory(None, 0, ())


def test_what_does_not_fit_is_refused_with_what_to_change() -> None:
    need = Need(weights=200_000_000, kept=5_900_000_000)
    require_memory(need, 6_100_000_000, ("--batch",))
    with pytest.raises(RejectedInput, match=r"6\.1 GB .*5\.9 GB.*3\.0 GB are.*--batch or --budget.*fit-mem"):
        require_memory(need, 3_000_000_000, ("--batch", "--budget"))


def test_something_is_free() -> None:
    assert 0 < free_bytes() < 2**50
