"""Instance normalisation that keeps the layout: what torch's own gives, in training and in service."""

import copy
from itertools import product

import pytest
import torch
from monai.networks.nets import DynUNet
from torch import Tensor, nn

from training.networks.dyn_unet import dyn_unet, dyn_unet_arguments
from training.networks.example_norms import keeping_layout
from training.networks.unet_plan import UNetPlan

LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
SHAPES = [(1, 3, 6, 5), (3, 4, 7, 6), (1, 3, 6, 5, 7), (2, 4, 5, 6, 4)]


def norm_of(shape: tuple[int, ...], *, affine: bool = True) -> nn.Module:
    torch.manual_seed(0)
    kind = nn.InstanceNorm2d if len(shape) == 4 else nn.InstanceNorm3d
    norm = kind(shape[1], affine=affine)
    for weight in norm.parameters():
        nn.init.normal_(weight, 1.0)
    return nn.Sequential(norm)


def learned(norm: nn.Module, images: Tensor, gradient: Tensor) -> list[Tensor]:
    """The answer, and the gradients of images and weights."""
    shown = images.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    answer = norm(shown)
    answer.backward(gradient)
    assert shown.grad is not None
    return [answer.detach(), shown.grad, *(each.grad for each in norm.parameters() if each.grad is not None)]


@pytest.mark.parametrize(("shape", "affine", "is_last"), list(product(SHAPES, (True, False), (True, False))))
def test_it_is_torchs_own_and_keeps_the_layout(shape: tuple[int, ...], affine: bool, is_last: bool) -> None:
    images, gradient = 3.0 + 2.0 * torch.randn(shape), torch.randn(shape)
    # Not laid out: torch 2.13's own is wrong where a batch of one gets a gradient whose channels come last.
    expected = learned(norm_of(shape, affine=affine).double(), images.double(), gradient.double())
    layout = LAST[len(shape)] if is_last else torch.contiguous_format
    laid = [each.contiguous(memory_format=layout) for each in (images, gradient)]
    found = learned(keeping_layout(norm_of(shape, affine=affine)), *laid)
    assert len(found) == len(expected) == (4 if affine else 2)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, atol=1e-5, rtol=1e-5)
    assert found[0].is_contiguous(memory_format=layout)
    assert found[1].is_contiguous(memory_format=layout)


@pytest.mark.parametrize("shape", SHAPES)
def test_in_bf16_it_differs_by_what_bf16_rounds(shape: tuple[int, ...]) -> None:
    images, gradient = torch.randn(shape).bfloat16(), torch.randn(shape).bfloat16()
    expected = learned(norm_of(shape).double(), images.double(), gradient.double())
    found = learned(
        keeping_layout(norm_of(shape)),
        *(each.contiguous(memory_format=LAST[len(shape)]) for each in (images, gradient)),
    )
    assert found[0].dtype is torch.bfloat16
    for one, other in zip(found, expected, strict=True):
        assert (one.double() - other).norm() < 0.01 * other.norm()


def test_many_voxels_are_added_up_exactly() -> None:
    images = (5.0 + torch.randn(1, 2, 64, 64, 64)).contiguous(memory_format=torch.channels_last_3d)
    norm = keeping_layout(nn.Sequential(nn.InstanceNorm3d(2)))
    expected = nn.InstanceNorm3d(2)(images.double())
    assert float((norm(images).double() - expected).abs().max()) < 5e-6


def test_a_network_keeps_its_weights_and_their_names() -> None:
    plan = UNetPlan.uniform(channels=1, widths=(4, 8, 8, 16), supervised=2)
    torch.manual_seed(0)
    plain = DynUNet(**dyn_unet_arguments(plan))
    ours = dyn_unet(plan)
    assert list(ours.state_dict()) == list(plain.state_dict())
    assert len(list(ours.parameters())) == len(list(plain.parameters())), "no part is there twice"
    ours.load_state_dict(plain.state_dict())
    images = torch.randn(2, 1, 16, 16, 16)
    torch.testing.assert_close(ours(images), plain(images), atol=1e-4, rtol=1e-4)
    assert torch.equal(ours.eval()(images), plain.eval()(images))


def test_a_copy_is_a_network_of_its_own() -> None:
    network = dyn_unet(UNetPlan.uniform(channels=1, widths=(4, 8, 8)))
    other = copy.deepcopy(network)
    for weight in other.parameters():
        nn.init.zeros_(weight)
    assert all(bool(weight.any()) for name, weight in network.named_parameters() if name.endswith("weight"))
