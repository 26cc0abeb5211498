"""Admission: limits how many answers are computed at once, queues a few more, refuses the rest with a Retry-After.

A processor that computes more answers than it has cores for gives all of them late. So each process computes
`computing_at_once` and queues others while the expected wait is short, fairly by annotator; beyond that a request is
refused at once, with the seconds after which to try again. A GPU is used by one process at a time (`gpu.lock`).
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from django.conf import settings
from filelock import FileLock, Timeout

from annotation_backend.machine import cores, has_gpu, inference_threads, web_processes
from datasets.errors import TryAgain

MOST_WAITING = 8
"""Most requests that wait in a process: fewer than its threads, which also answer health checks and webhooks."""

GPU_PATIENCE_SECONDS = 60.0
"""How long work for which nobody waits tries to get the GPU."""

_FIRST_GUESS_SECONDS = 0.5
"""How long an answer is expected to take before any was measured."""

_WEIGHT_OF_NEWEST = 0.2
_POLL_SECONDS = 0.005


class Overloaded(TryAgain):
    """More requests wait than can be answered soon.

    Args:
        retry_after: Whole seconds after which a request will probably be taken.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "overloaded",
            "The models are busy: too many requests wait for an answer.",
            remedy=f"Try again in {retry_after} s.",
        )
        self.retry_after = retry_after


@dataclass(eq=False)
class _Ticket:
    who: str
    called: threading.Event = field(default_factory=threading.Event)


class Admission:
    """A short queue in front of the models; thread-safe.

    Args:
        at_once: Answers computed at the same time.
        patience: Most seconds that a request waits.
        most_waiting: Most requests that wait.
    """

    def __init__(self, *, at_once: int, patience: float, most_waiting: int = MOST_WAITING) -> None:
        self._at_once = at_once
        self._patience = patience
        self._most_waiting = most_waiting
        self._inside = 0
        self._computing = 0
        self._waiting: list[_Ticket] = []
        self._served: dict[str, float] = {}
        self._seconds = _FIRST_GUESS_SECONDS
        self._lock = threading.Lock()

    @property
    def expected_wait(self) -> float:
        """Seconds until a new request would begin, estimated from the last answers."""
        with self._lock:
            return self._expected()

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an answer; background work pauses meanwhile."""
        return self._inside > 0 or self._computing > 0

    @contextmanager
    def arrival(self) -> Iterator[None]:
        """Counts a request while it is handled, its turn included; refuses it before any work if there are too many.

        Raises:
            Overloaded: As many are handled as may compute and wait at once.
        """
        with self._lock:
            if self._inside >= self._at_once + self._most_waiting:
                raise self._refusal(self._expected())
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    @contextmanager
    def turn(self, who: str = "") -> Iterator[None]:
        """Waits for a turn, then runs the block in it.

        Args:
            who: Turns are shared fairly among these: a session, or a case.

        Raises:
            Overloaded: The wait would be too long, or became so.
        """
        self._wait(who)
        started = time.monotonic()
        answered = False
        try:
            yield
            answered = True
        finally:
            self._leave(time.monotonic() - started if answered else None)

    def _wait(self, who: str) -> None:
        with self._lock:
            if self._computing < self._at_once and not self._waiting:
                self._begin(who)
                return
            expected = self._expected()
            if expected > self._patience or len(self._waiting) >= self._most_waiting:
                raise self._refusal(expected)
            ticket = _Ticket(who)
            self._waiting.append(ticket)
        if ticket.called.wait(self._patience):
            return
        with self._lock:
            if ticket.called.is_set():  # called while it gave up: it has its turn
                return
            self._waiting.remove(ticket)
            raise self._refusal(self._expected())

    def _leave(self, seconds: float | None) -> None:
        with self._lock:
            if seconds is not None:
                self._seconds += _WEIGHT_OF_NEWEST * (seconds - self._seconds)
            self._computing -= 1
            if self._waiting and self._computing < self._at_once:
                ticket = min(self._waiting, key=lambda waiting: self._served.get(waiting.who, 0.0))
                self._waiting.remove(ticket)
                self._begin(ticket.who)
                ticket.called.set()
            elif not self._waiting and not self._computing:
                self._served.clear()

    def _begin(self, who: str) -> None:
        self._computing += 1
        self._served[who] = time.monotonic()

    def _expected(self) -> float:
        ahead = self._computing + len(self._waiting) - self._at_once + 1
        return max(ahead, 0) * self._seconds / self._at_once

    def _refusal(self, expected: float) -> Overloaded:
        return Overloaded(max(1, math.ceil(expected - self._patience / 2)))


@contextmanager
def admitted(who: str = "") -> Iterator[None]:
    """A turn at computing an answer that an annotator waits for; see `Admission.turn`.

    Raises:
        Overloaded: Answer 503 with Retry-After.
    """
    with process_admission().turn(who), gpu_turn(patience=settings.WAIT_SECONDS):
        yield


@cache
def process_admission() -> Admission:
    """The queue of this process."""
    return Admission(at_once=computing_at_once(), patience=settings.WAIT_SECONDS)


def computing_at_once() -> int:
    """Answers that a process computes at the same time: its cores divided by the threads of an answer; 1 on a GPU."""
    return 1 if has_gpu() else max(1, cores() // web_processes() // inference_threads())


@contextmanager
def gpu_turn(*, patience: float) -> Iterator[None]:
    """On a machine with a GPU, lets one process use it at a time; does nothing on others.

    Raises:
        Overloaded: Another process kept it for longer than `patience` seconds.
    """
    if not has_gpu():
        yield
        return
    with one_process_at_a_time(Path(settings.DATA_FOLDER) / "gpu.lock", patience=patience):
        yield


@contextmanager
def one_process_at_a_time(path: Path, *, patience: float) -> Iterator[None]:
    """Locks `path` while the block runs, against other processes; the lock is released when a process dies.

    Raises:
        Overloaded: Another process held it for longer than `patience` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=patience, mode=0o600, poll_interval=_POLL_SECONDS):
            yield
    except Timeout as error:
        raise Overloaded(max(1, math.ceil(patience))) from error
