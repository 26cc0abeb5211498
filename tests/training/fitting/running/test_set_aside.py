"""Early stop: set-aside patients are the training's own, the best weights are kept, also over a stop."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datasets.errors import RejectedInput
from tests.training.support.ball_examples import ball_example
from tests.training.support.small_training import make_small, small_choice
from training.fitting.loop import fit_network
from training.fitting.running.running import Learned
from training.fitting.running.set_aside import dice_of
from training.fitting.running.settings import LoopSettings
from training.methods.train import set_aside, train_method
from training.table.table import trainable_methods

SETTINGS = LoopSettings(
    iterations=200, learning_rate=0.05, averaging=0.0, patience=2, look_every=5, checkpoint_every=5, weight_decay=0.0
)


def one_weight() -> nn.Module:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    return network


def towards(goal: float):  # type: ignore[no-untyped-def]
    def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        yield (network(torch.ones(1, 1)) - goal).square().mean()

    return learn


def test_it_stops_after_the_best_and_keeps_the_best() -> None:
    """The weight goes from 0 towards 1; the set-aside loss is least at 0.5, where it passes by."""
    network = one_weight()
    losses = fit_network(network, towards(1.0), SETTINGS, aside=towards(0.5))
    assert len(losses) < 60
    [weight] = network.state_dict().values()
    assert float(weight) == pytest.approx(0.5, abs=0.15)
    whole = one_weight()
    fit_network(whole, towards(1.0), replace(SETTINGS, patience=None), aside=towards(0.5))
    assert float(next(iter(whole.state_dict().values()))) == pytest.approx(1.0, abs=0.01)


class Stopped(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("after", [7, 12, 16])
def test_a_stopped_training_stops_early_at_the_same_place(after: int, tmp_path: Path) -> None:
    whole, resumed = one_weight(), one_weight()
    losses = fit_network(whole, towards(1.0), SETTINGS, aside=towards(0.5))

    def progress(done: int, _all: int, _loss: float) -> None:
        if done == after:
            raise Stopped

    path = tmp_path / "checkpoint"
    with pytest.raises(Stopped):
        fit_network(one_weight(), towards(1.0), SETTINGS, aside=towards(0.5), checkpoint=path, progress=progress)
    assert fit_network(resumed, towards(1.0), SETTINGS, aside=towards(0.5), checkpoint=path) == losses
    assert torch.equal(*(next(iter(each.state_dict().values())) for each in (whole, resumed)))


def test_a_fifth_of_the_patients_is_set_aside_with_all_their_cases() -> None:
    examples = [ball_example(number, patient=f"p{number % 10}") for number in range(20)]
    seen, aside = set_aside(examples, 3)
    patients = {example.patient for example in aside}
    assert len(patients) == 2
    assert len(aside) == 4
    assert patients.isdisjoint(example.patient for example in seen)
    assert len(seen) == 16
    assert set_aside(examples[::-1], 3)[1][0].patient in patients
    with pytest.raises(RejectedInput, match="patience-patients"):
        set_aside(examples[:1], 3)


def test_dice_is_that_of_the_examples_with_a_tumour() -> None:
    target = torch.zeros(3, 1, 4, 4)
    target[0, 0, :2], target[1, 0, 0] = 1.0, 1.0
    logits = torch.full_like(target, -1.0)
    logits[0, 0, 1:3] = 1.0
    # 8 true, 8 drawn, 4 shared: 2 * 4 / 16; 4 true, none drawn: 0; the empty one does not count
    assert dice_of(Learned(torch.zeros(1), target, logits, target)) == [0.5, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize("method", trainable_methods(), ids=str)
def test_every_method_looks_at_set_aside_patients(method, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    if method.name == "medsam-automatic":
        pytest.skip("LiteMedSAM's network takes a minute; its fit is that of unet-25d")
    make_small(monkeypatch)
    examples = [ball_example(number, shape=(24, 24, 12)) for number in range(3)]
    chosen = replace(small_choice(method), patience=1)
    fitted = train_method(chosen, examples)
    assert all(len(losses) == 2 for losses in fitted.losses)
    assert fitted.cases == ("case-0", "case-1", "case-2"), "set-aside cases are known to the model, too"
    assert chosen.described["patience"] == 1
