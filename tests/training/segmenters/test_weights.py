"""A package's tensors in a network: each kept once, none missing, none too many."""

import numpy as np
import pytest
import torch

from datasets.errors import RejectedInput
from training.fitting.running.layout import half_precision
from training.networks.dyn_unet import dyn_unet
from training.networks.unet_plan import UNetPlan
from training.segmenters.weights import as_members, members_of, tensors_of, with_weights

PLAN = UNetPlan.uniform(channels=2, widths=(4, 8, 8))
CPU = torch.device("cpu")


def network(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return dyn_unet(PLAN).eval()


def answer(network: torch.nn.Module) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = network(torch.linspace(-2, 2, 2 * 16**3).reshape(1, 2, 16, 16, 16)).numpy()
    return found


def test_members_come_back_and_every_tensor_is_kept_once() -> None:
    networks = [network(0), network(1)]
    kept = as_members([tensors_of(each) for each in networks])
    assert sum(tensor.size for tensor in kept.values()) == sum(
        parameter.numel() for each in networks for parameter in each.parameters()
    )
    for number, own in enumerate(members_of(kept, 2)):
        np.testing.assert_array_equal(answer(with_weights(dyn_unet(PLAN), own, device=CPU)), answer(networks[number]))


def test_packages_that_hold_a_tensor_under_both_names_load_too() -> None:
    both = tensors_of(network(0))
    assert any(name.startswith("skip_layers.") for name in both)
    np.testing.assert_array_equal(answer(with_weights(dyn_unet(PLAN), both, device=CPU)), answer(network(0)))


def test_half_precision_answers_alike() -> None:
    kept = as_members([half_precision(network(0))])
    assert {tensor.dtype for tensor in kept.values()} == {np.dtype(np.float16)}
    own = members_of(kept, 1)[0]
    assert {tensor.dtype for tensor in own.values()} == {np.dtype(np.float32)}
    found, full = answer(with_weights(dyn_unet(PLAN), own, device=CPU)), answer(network(0))
    assert 0 < np.abs(found - full).max() < 5e-3 * np.abs(full).max()


@pytest.mark.parametrize("change", ["missing", "more", "shape"])
def test_tensors_of_another_network_are_refused(change: str) -> None:
    tensors = members_of(as_members([tensors_of(network(0))]), 1)[0]
    name = sorted(tensors)[0]
    match change:
        case "missing":
            del tensors[name]
        case "more":
            tensors["another"] = tensors[name]
        case "shape":
            tensors[name] = tensors[name][:1]
    with pytest.raises(RejectedInput, match="package-network"):
        with_weights(dyn_unet(PLAN), tensors, device=CPU)


@pytest.mark.parametrize("name", ["2/weight", "weight", "-1/weight", "x/weight", ""])
def test_a_tensor_of_no_member_is_refused(name: str) -> None:
    with pytest.raises(RejectedInput, match="package-network"):
        members_of({"0/weight": np.zeros(3), name: np.zeros(3)}, 2)
