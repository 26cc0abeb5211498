"""The training loop: the same seed gives the same weights, stopped or not; checkpoints of anything else are refused."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datasets.errors import RejectedInput
from training.fitting.loop import fit_network
from training.fitting.losses import dice_and_cross_entropy
from training.fitting.running.layout import half_precision, laid_out
from training.fitting.running.settings import LoopSettings
from training.networks.dyn_unet import dyn_unet
from training.networks.unet_plan import UNetPlan

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SETTINGS = LoopSettings(iterations=10, checkpoint_every=4, learning_rate=0.01)
PLAN = UNetPlan.uniform(channels=1, widths=(4, 8, 8))


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return laid_out(dyn_unet(PLAN), CPU)


def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
    """One or two steps on noise, some of it torch's own, which is bright where the target is."""
    for _ in range(int(random.integers(1, 3))):
        image = torch.from_numpy(random.standard_normal((1, 1, 8, 8, 8)).astype(np.float32)) + 0.1 * torch.randn(8)
        yield dice_and_cross_entropy(network(image.to(memory_format=torch.channels_last_3d)), (image > 0.5).float())


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


class Stopped(Exception):
    """Somebody pulled the plug."""


def stopping_after(count: int):  # type: ignore[no-untyped-def]
    def progress(done: int, of: int, loss: float) -> None:
        if done == count:
            raise Stopped

    return progress


@pytest.mark.slow
@pytest.mark.parametrize("stops", [(6,), (3, 5, 9), (4,), (8, 9)])
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(stops: tuple[int, ...], tmp_path: Path) -> None:
    whole = network()
    losses = fit_network(whole, learn, SETTINGS)
    path = tmp_path / "deep" / "checkpoint.safetensors"
    for stop in stops:
        with pytest.raises(Stopped):
            fit_network(network(), learn, SETTINGS, checkpoint=path, progress=stopping_after(stop))
    torch.manual_seed(1234)
    resumed = network(seed=5)
    seen: list[int] = []
    found = fit_network(resumed, learn, SETTINGS, checkpoint=path, progress=lambda done, of, loss: seen.append(done))
    assert found == losses
    assert same(whole, resumed)
    assert seen == list(range(1 + max(4 * (stop // 4) for stop in stops), 11)), "only what was lost is done again"


def test_the_seed_decides_all() -> None:
    first, again, other = network(), network(), network()
    fit_network(first, learn, SETTINGS)
    torch.manual_seed(77)
    fit_network(again, learn, SETTINGS)
    fit_network(other, learn, replace(SETTINGS, seed=1))
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.slow
def test_it_learns_and_ends_with_averaged_weights_ready_to_answer() -> None:
    settings = LoopSettings(iterations=60, learning_rate=0.02, averaging=0.9)
    fitted = network()
    losses = fit_network(fitted, learn, settings)
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    assert not fitted.training
    with torch.no_grad():
        answered = float(np.mean([float(loss) for loss in learn(fitted, np.random.default_rng(99))]))
    assert answered < 0.6 * np.mean(losses[:5])


@pytest.mark.slow
def test_the_average_is_one_of_the_last_weights() -> None:
    """Averaging of 0 leaves the last weights, more of it others."""
    found = []
    for averaging in (0.0, 0.9):
        last: dict[str, Tensor] = {}

        def watched(
            network: nn.Module, random: np.random.Generator, last: dict[str, Tensor] = last
        ) -> Iterator[Tensor]:
            yield from learn(network, random)
            last.update({name: tensor.clone() for name, tensor in network.state_dict().items()})

        fitted = network()
        fit_network(fitted, watched, replace(SETTINGS, averaging=averaging))
        found.append(all(torch.equal(last[name], tensor) for name, tensor in fitted.state_dict().items()))
    assert found == [True, False]


def plain_fit(network: nn.Module, settings: LoopSettings) -> list[float]:
    """The loop without the library's schedule and mean: the rate and the mean of the weights as plain formulas."""
    rate, decay = settings.learning_rate, settings.weight_decay
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, fused=True)
    mean = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    rising, steps, found = max(settings.iterations // 20, 1), 0, []
    network.train()
    for iteration in range(settings.iterations):
        random = np.random.default_rng([settings.seed, iteration])
        torch.manual_seed(int(random.integers(2**31)))
        fallen = (iteration - rising) / max(settings.iterations - rising, 1)
        share = (iteration + 1) / rising if iteration < rising else 0.5 * (1.0 + np.cos(np.pi * fallen))
        optimiser.param_groups[0]["lr"] = settings.learning_rate * float(share)
        losses = []
        for loss in learn(network, random):
            losses.append(float(loss.detach()))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 12.0)
            optimiser.step()
            steps += 1
            kept = min(settings.averaging, (1 + steps) / (10 + steps))
            for name, tensor in network.state_dict().items():
                mean[name] = mean[name].lerp(tensor, 1.0 - kept)
        found.append(float(np.mean(losses)))
    network.load_state_dict(mean)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("averaging", [0.3, 0.99])
def test_schedule_and_mean_of_the_library_give_the_numbers_of_the_formulas(averaging: float) -> None:
    settings = replace(SETTINGS, iterations=60, averaging=averaging)
    fitted, plain = network(), network()
    assert fit_network(fitted, learn, settings) == plain_fit(plain, settings)
    assert same(fitted, plain)


OTHERS = [
    {"seed": 1},
    {"iterations": 11},
    {"learning_rate": 0.02},
    {"weight_decay": 0.0},
    {"averaging": 0.5},
    {"checkpoint_every": 5},
]


@pytest.mark.parametrize("change", OTHERS, ids=[next(iter(change)) for change in OTHERS])
def test_a_checkpoint_of_another_loop_is_refused(change: dict[str, float], checkpoint: Path) -> None:
    assert refused(checkpoint, replace(SETTINGS, **change)) == "fit-checkpoint"  # type: ignore[arg-type]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of a run about apples."""
    fit_network(network(), learn, SETTINGS, checkpoint=tmp_path / "kept", about={"of": ["apples"]})
    return tmp_path / "kept"


def refused(checkpoint: Path, settings: LoopSettings = SETTINGS, *, about: dict[str, list[str]] | None = None) -> str:
    kept = checkpoint.read_bytes()
    with pytest.raises(RejectedInput) as caught:
        fit_network(network(), learn, settings, checkpoint=checkpoint, about=about or {"of": ["apples"]})
    assert checkpoint.read_bytes() == kept
    assert caught.value.remedy
    return caught.value.code


def test_a_checkpoint_of_something_else_is_refused(checkpoint: Path) -> None:
    assert refused(checkpoint, about={"of": ["pears"]}) == "fit-checkpoint"
    assert len(fit_network(network(), learn, SETTINGS, checkpoint=checkpoint, about={"of": ["apples"]})) == 10


def test_a_checkpoint_of_another_network_is_refused(checkpoint: Path) -> None:
    other = laid_out(dyn_unet(UNetPlan.uniform(channels=1, widths=(4, 8, 16))), CPU)
    with pytest.raises(RejectedInput, match="fit-checkpoint"):
        fit_network(other, learn, SETTINGS, checkpoint=checkpoint, about={"of": ["apples"]})


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_checkpoint_is_refused(damage: str, checkpoint: Path) -> None:
    content = {"truncated": checkpoint.read_bytes()[:-7], "empty": b"", "text": b"not weights" * 100}
    checkpoint.write_bytes(content[damage])
    assert refused(checkpoint) == "fit-checkpoint"
    with pytest.raises(RejectedInput, match=f"{checkpoint.parent.name}/{checkpoint.name} is damaged"):
        fit_network(network(), learn, SETTINGS, checkpoint=checkpoint)


def test_a_loss_that_is_no_number_ends_the_fit() -> None:
    def diverging(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        for loss in learn(network, random):
            yield loss * float("nan")

    fitted = network()
    with pytest.raises(RejectedInput, match="fit-diverged"):
        fit_network(fitted, diverging, SETTINGS)
    assert all(torch.isfinite(tensor).all() for tensor in fitted.state_dict().values())


def test_a_step_is_done_before_the_next_loss_is_made() -> None:
    weights: list[Tensor] = []

    def watched(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        for _ in range(3):
            weights.append(next(network.parameters()).detach().clone())
            yield from learn(network, random)

    fit_network(network(), watched, replace(SETTINGS, iterations=1))
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


def test_the_rate_rises_and_falls() -> None:
    settings = LoopSettings(iterations=100, learning_rate=1e-2)
    rates = [settings.share_of_rate(done) for done in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[4] == 1.0
    assert all(one >= other for one, other in pairwise(rates[5:]))
    assert 0.0 < rates[-1] < 1e-3


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"learning_rate": 0.0}, {"averaging": 1.0}, {"seed": -1}])
def test_settings_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(RejectedInput, match="fit-settings"):
        replace(SETTINGS, **wrong)  # type: ignore[arg-type]


def test_half_precision_is_near() -> None:
    fitted = network()
    kept = half_precision(fitted)
    for name, tensor in fitted.state_dict().items():
        assert kept[name].dtype == np.float16
        np.testing.assert_allclose(kept[name], tensor.detach().numpy(), rtol=1e-3, atol=1e-6)
