"""A batch that is split over turns or processes is the whole batch: same examples, same loss curve, same weights."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from annotation_backend.environment import ROOT
from datasets.errors import RejectedInput
from tests.training.support import fit_child
from tests.training.support.ball_examples import ball_example
from training.fitting.clicks import ClickSettings, fit_refiner
from training.fitting.loop import fit_network
from training.fitting.running.portion import Portion, each_random, portions
from training.fitting.running.processes import Processes, require_shares
from training.fitting.running.running import Running
from training.fitting.running.settings import LoopSettings

EXAMPLES = [ball_example(number, shape=(18, 16, 9)) for number in range(3)]


@pytest.mark.parametrize(
    ("batch", "accumulate", "count", "expected"),
    [
        (2, 1, 1, [[range(0, 2)]]),
        (2, 2, 1, [[range(0, 2), range(2, 4)]]),
        (2, 2, 2, [[range(0, 2)], [range(2, 4)]]),
        (3, 1, 2, [[range(0, 1)], [range(1, 3)]]),
        (2, 3, 2, [[range(0, 2), range(2, 3)], [range(3, 5), range(5, 6)]]),
        (1, 1, 2, [[], [range(0, 1)]]),
    ],
)
def test_portions_are_the_batch(batch: int, accumulate: int, count: int, expected: list[list[range]]) -> None:
    found = [portions(batch, accumulate=accumulate, number=number, count=count) for number in range(count)]
    assert found == expected


def test_a_portion_draws_what_the_batch_has_there() -> None:
    whole = [own.random() for own in each_random(Portion((5, 7), range(0, 5), 5), 5)]
    parts = [Portion((5, 7), own, 5) for own in (range(0, 2), range(2, 5))]
    assert [own.random() for part in parts for own in each_random(part, 2)] == whole
    assert parts[0].random() == parts[1].random(), "what is not of single examples is the same in all"
    plain = np.random.default_rng([5, 7])
    assert [own.random() for own in each_random(plain, 5)] == whole


def test_more_processes_than_examples_are_refused() -> None:
    require_shares(2, 1, Processes(0, 2))
    with pytest.raises(RejectedInput, match=r"--accumulate 3 .*processes-batch"):
        require_shares(2, 1, Processes(0, 5))


@pytest.mark.slow
@pytest.mark.parametrize("parts", [2, 4])
def test_accumulated_gradients_give_the_loss_curve_of_the_summed_batch(parts: int, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("summed", "accumulated")]
    for folder in folders:
        folder.mkdir()
    summed = fit_child.fit(folders[0], fit_child.settings(batch=4))
    accumulated = fit_child.fit(folders[1], fit_child.settings(batch=4 // parts, accumulate=parts))
    np.testing.assert_allclose(accumulated, summed, atol=1e-4)
    assert max(summed) - min(summed) > 0.05, "it learned"


@pytest.mark.slow
@pytest.mark.parametrize("at_every_click", [False, True])
def test_sessions_of_clicks_are_split_alike(at_every_click: bool) -> None:
    # Clicks lie where an answer is wrong. After a real step, rounding alone moves some: an optimiser's first steps are
    # as long for a gradient of almost nothing as for a large one. So nothing is learned between two clicks here.
    rate = 1e-9 if at_every_click else 2e-3
    whole = ClickSettings(
        LoopSettings(iterations=3, learning_rate=rate),
        canvas=(16, 16, 8),
        widths=(4, 8, 16),
        batch=4,
        at_every_click=at_every_click,
    )
    split = replace(whole, batch=2, loop=replace(whole.loop, accumulate=2))
    running = Running(precision="full")
    losses = [fit_refiner(EXAMPLES, each, running=running)[1] for each in (split, whole)]
    np.testing.assert_allclose(*losses, atol=1e-4)


def test_a_batch_too_large_for_the_memory_is_never_there_at_once() -> None:
    """The gradient of a turn is computed before the next turn looks at its examples."""
    seen: list[tuple[int, bool]] = []
    network = nn.Linear(1, 1)

    def learn(network: nn.Module, random: np.random.Generator) -> Iterator[Tensor]:
        if isinstance(random, Portion) and isinstance(network, nn.Linear):
            seen.append((random.own.start, network.weight.grad is not None))
        yield network(torch.ones(1, 1)).square().mean()

    fit_network(network, learn, LoopSettings(iterations=1, accumulate=3))
    assert seen == [(0, False), (1, True), (2, True)]


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one_with_the_summed_batch(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    alone = fit_child.fit(one, fit_child.settings(batch=2))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASKLOOP_DEVICE": "cpu"}
    ran = subprocess.run(
        [*command, "-m", "tests.training.support.fit_child", str(two), "2"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads((two / fit_child.DONE).read_text())
    np.testing.assert_allclose(found["losses"], alone, atol=1e-4)
    expected = json.loads((one / fit_child.DONE).read_text())["weights"]
    for name, values in expected.items():
        np.testing.assert_allclose(found["weights"][name], values, atol=5e-3, err_msg=name)
