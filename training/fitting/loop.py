"""The training loop of all methods: an optimiser, its schedule, moving mean of the weights, checkpoints.

Imports torch: imported where something is fitted. Every random choice of iteration `n` comes from (seed, n), so a
training that was stopped and goes on from its checkpoint ends with the same weights; and every example of its batch has
a generator of its own, so that a batch may be split over turns and processes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from datasets.errors import ProgramFault, RejectedInput
from datasets.files import canonical_json, sha256_of_bytes
from training.fitting.running.board import Board
from training.fitting.running.free_memory import free_bytes
from training.fitting.running.layout import NumberFormat, compiled
from training.fitting.running.needs import need_of, require_memory
from training.fitting.running.portion import Portion, portions
from training.fitting.running.processes import Processes, joined, require_shares
from training.fitting.running.running import ALONE, FitProgress, Learn, Learned, Running
from training.fitting.running.set_aside import SetAside, loss_of
from training.fitting.running.settings import LoopSettings
from training.fitting.running.state import State


def fit_network(
    network: nn.Module,
    learn: Learn,
    settings: LoopSettings,
    *,
    batch: int = 1,
    aside: Learn | None = None,
    checkpoint: Path | None = None,
    progress: FitProgress | None = None,
    running: Running = ALONE,
    about: Mapping[str, Any] | None = None,
) -> list[float]:
    """Fits `network`, leaving the averaged weights in it; after an early stop the best of them.

    Args:
        network: On its device; its weights are the start unless there is a checkpoint.
        learn: One iteration.
        settings: Length, rate and averaging.
        batch: Examples that one call of `learn` shows.
        aside: One iteration on set-aside cases; None for none.
        checkpoint: File to go on from, and to update; None for none.
        progress: Called after every iteration; what it raises stops the fit (the last checkpoint stays).
        running: Precision, compilation, board.
        about: All else that the fit depends on, as plain JSON values; a checkpoint of another fit is refused.

    Returns:
        Mean loss of each iteration.

    Raises:
        RejectedInput: A loss is not finite, the checkpoint belongs to another network or other settings, the memory
            does not suffice (``fit-memory``), the disk is full (``fit-disk-full``), or there are more processes than
            examples (``processes-batch``).
    """
    fit = _Fit(network, learn, settings, batch=batch, aside=aside, running=running, about=about or {})
    losses = fit.begin(checkpoint)
    _go_on(fit, losses, checkpoint, progress)
    fit.state.leave(fit.aside.best if settings.patience is not None else None)
    network.eval()
    return losses


def _go_on(fit: "_Fit", losses: list[float], checkpoint: Path | None, progress: FitProgress | None) -> None:
    """The iterations that are left; their losses are added to those that there are."""
    settings, is_first = fit.settings, fit.processes.is_first
    board = Board(fit.running.board if is_first else None, done=len(losses))
    schedule = fit.state.schedule(done=len(losses))
    for iteration in range(len(losses), settings.iterations):
        if fit.aside.is_over:
            break
        board.tell(iteration + 1, loss=fit.one(iteration, losses), rate=fit.state.rate)
        schedule.step()
        fit.look(board, iteration + 1)
        if checkpoint is not None and is_first and (iteration + 1) % settings.checkpoint_every == 0:
            fit.state.keep(checkpoint, losses, fit.aside.tensors, fit.aside.described)
        if progress is not None:
            progress(iteration + 1, settings.iterations, losses[-1])
    board.close()


class _Fit:
    """The parts of one fit."""

    def __init__(
        self,
        network: nn.Module,
        learn: Learn,
        settings: LoopSettings,
        *,
        batch: int,
        aside: Learn | None,
        running: Running,
        about: Mapping[str, Any],
    ) -> None:
        self._network, self._learn, self.settings, self.running = network, learn, settings, running
        self._batch = batch
        self._device = next(network.parameters()).device
        self._precision = NumberFormat(running.precision)
        self.processes = joined()
        require_shares(batch, settings.accumulate, self.processes)
        purpose = sha256_of_bytes(canonical_json(about))
        scaler = self._precision.scaler(self._device)
        self.state = State(network, settings, purpose, inputs=running.inputs, scaler=scaler, processes=self.processes)
        self._shown = compiled(network, self._device) if running.compiles else network
        self.aside = SetAside(aside, settings, self.processes)
        self._last: Learned | None = None

    def begin(self, checkpoint: Path | None) -> list[float]:
        """Goes on from a checkpoint, where there is one; refuses what does not fit into the memory."""
        losses: list[float] = []
        if checkpoint is not None and checkpoint.exists():
            losses, tensors, about = self.state.restore(checkpoint)
            self.aside.restore(tensors, about)
        _require_same(len(losses), self.processes, self._device)
        self._network.train()
        if len(losses) < self.settings.iterations:
            share = 1.0 if self._precision.kind(self._device) is torch.float32 else 0.5
            need = need_of(self._network, self._learn, self._portions(0)[0], share=share)
            require_memory(need, free_bytes(self._device), self.running.smaller)
        return losses

    def one(self, iteration: int, losses: list[float]) -> float:
        """One iteration; its mean loss, which is added to `losses`."""
        own = self._portions(iteration)
        # The first number of the iteration's generator, as all portions draw it.
        seeds = [int(portion.integers(2**31)) for portion in own]
        torch.manual_seed(seeds[0] + self.processes.number)
        turns = [self._learn(self._shown, portion) for portion in own]
        shares = [len(portion.own) / portion.total for portion in own]
        found = []
        while (loss := self.state.step(self._losses(turns, shares))) is not None:
            found.append(loss)
        losses.append(float(np.mean(found)))
        return losses[-1]

    def look(self, board: Board, done: int) -> None:
        """A look at set-aside cases where one is due; pictures."""
        found = self.aside.looked(self.state, done)
        if found is not None:
            board.tell_set_aside(done, loss=found.loss, dice=found.dice)
            board.show(done, "set aside", found.last)
        if done % self.settings.look_every == 0:
            board.show(done, "learned", self._last)

    def _losses(
        self, turns: Sequence[Iterator[Tensor | Learned]], shares: Sequence[float]
    ) -> Iterator[tuple[Tensor, float]]:
        """The next loss of every turn, each made when it is asked for; nothing where the iteration is over."""
        for number, (turn, share) in enumerate(zip(turns, shares, strict=True)):
            learned = next(turn, None)
            if learned is None and number == 0:
                return
            if learned is None:
                raise ProgramFault(
                    "portions-differ", "One portion of a batch has fewer steps than another.", remedy="Report it."
                )
            self._last = learned if isinstance(learned, Learned) else None
            yield loss_of(learned), share

    def _portions(self, iteration: int) -> list[Portion]:
        accumulate, processes = self.settings.accumulate, self.processes
        own = portions(self._batch, accumulate=accumulate, number=processes.number, count=processes.count)
        total = self._batch * accumulate
        return [Portion((self.settings.seed, iteration), each, total) for each in own]


def _require_same(done: int, processes: Processes, device: torch.device) -> None:
    """Refuses processes that found other checkpoints.

    Raises:
        RejectedInput: ``processes-folders``.
    """
    [first] = processes.told_by_first([float(done)], str(device))
    if int(first) != done:
        raise RejectedInput(
            "processes-folders",
            "The processes of the training see other checkpoints.",
            remedy="Give all machines the same folder, at the same place.",
        )


def described_settings(settings: Any) -> dict[str, Any]:
    """The settings of a method's fit, a dataclass with its `loop`, as `fit_network` takes them in `about`."""
    return asdict(settings) | {"loop": settings.loop.described}
