"""Optimisers and schedules: their numbers by hand, and checkpoints of before go on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from training.fitting.loop import fit_network
from training.fitting.running.optimisers import Optimiser, Schedule, optimiser_of, share_of_rate
from training.fitting.running.settings import LoopSettings


@pytest.mark.parametrize(
    ("schedule", "done", "expected"),
    [
        (Schedule.CONSTANT, 0, 1.0),
        (Schedule.CONSTANT, 99, 1.0),
        (Schedule.POLY, 0, 1.0),
        (Schedule.POLY, 50, 0.5358867312681466),  # 0.5 to the power 0.9
        (Schedule.POLY, 100, 0.0),
        (Schedule.COSINE, 0, 0.2),  # the first of five rising steps
        (Schedule.COSINE, 5, 1.0),
        (Schedule.COSINE, 100, 0.0),
    ],
)
def test_shares_of_the_rate(schedule: Schedule, done: int, expected: float) -> None:
    assert share_of_rate(schedule, done, iterations=100) == pytest.approx(expected)


def stepped(kind: Optimiser, *, steps: int, weight_decay: float = 0.0) -> list[float]:
    """A weight of 1 after steps of a gradient of 1 at the rate 0.1."""
    weight, still = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1), requires_grad=False)
    optimiser = optimiser_of(kind, [weight, still], learning_rate=0.1, weight_decay=weight_decay)
    found = []
    for _ in range(steps):
        optimiser.zero_grad()
        (weight * 1.0).sum().backward()
        optimiser.step()
        found.append(float(weight.detach()))
    assert float(still) == 1.0
    return found


def test_steps_by_hand() -> None:
    # Adam's step is the rate whatever the gradient, as long as that stays the same.
    assert stepped(Optimiser.ADAM, steps=2) == pytest.approx([0.9, 0.8])
    # AdamW shrinks the weight by rate * decay first.
    assert stepped(Optimiser.ADAMW, steps=1, weight_decay=0.5) == pytest.approx([1 - 0.05 - 0.1])
    # Nesterov: velocity 1, then 1.99; a step is gradient + 0.99 * velocity.
    assert stepped(Optimiser.SGD, steps=2) == pytest.approx([1 - 0.199, 1 - 0.199 - 0.1 * (1 + 0.99 * 1.99)])


def fitted(settings: LoopSettings, checkpoint: Path | None = None, stop: int | None = None) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    network = torch.nn.Linear(3, 1)

    def learn(network, random):
        yield (network(torch.from_numpy(random.random((4, 3))).float()) - 1.0).square().mean()

    def halt(done: int, total: int, loss: float) -> None:
        if done == stop:
            raise KeyboardInterrupt

    try:
        fit_network(network, learn, settings, checkpoint=checkpoint, progress=halt)
    except KeyboardInterrupt:
        return {}
    return {name: each.clone() for name, each in network.state_dict().items()}


@pytest.mark.parametrize("optimiser", list(Optimiser))
@pytest.mark.parametrize("schedule", list(Schedule))
def test_a_stopped_training_ends_with_the_same_weights(
    tmp_path: Path, optimiser: Optimiser, schedule: Schedule
) -> None:
    settings = LoopSettings(
        12, learning_rate=1e-2, averaging=0.5, checkpoint_every=5, optimiser=optimiser, schedule=schedule
    )
    fitted(settings, tmp_path / "c.safetensors", stop=7)
    again, whole = fitted(settings, tmp_path / "c.safetensors"), fitted(settings)
    assert all(torch.equal(again[name], whole[name]) for name in whole)


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """It names neither an optimiser nor a schedule, and its settings are written as they were."""
    path, settings = tmp_path / "c.safetensors", LoopSettings(12, checkpoint_every=5)
    fitted(settings, path, stop=7)
    with safe_open(path, framework="pt") as opened:
        about = json.loads(opened.metadata()["about"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    assert about["settings"] == {
        "iterations": 12, "learning_rate": 2e-3, "weight_decay": 1e-4, "averaging": 0.99, "seed": 0,
        "checkpoint_every": 5,
    }  # fmt: skip
    save_file(tensors, path, metadata={"about": json.dumps(about)})
    assert fitted(settings, path)


def test_without_averaging_the_last_weights_count() -> None:
    last = fitted(LoopSettings(6, averaging=0.0))
    plain = torch.nn.Linear(3, 1)
    torch.manual_seed(1)
    plain = torch.nn.Linear(3, 1)
    optimiser = torch.optim.AdamW(plain.parameters(), lr=2e-3, weight_decay=1e-4)
    for iteration in range(6):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * share_of_rate(Schedule.COSINE, iteration, iterations=6)
        random = np.random.default_rng([0, iteration])
        random.integers(2**31)
        loss = (plain(torch.from_numpy(random.random((4, 3))).float()) - 1.0).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.testing.assert_close(last["weight"], plain.weight.detach())
