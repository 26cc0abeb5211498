"""Progress: how long work says how far it is, and what it says of the time left."""

import time
from collections.abc import Callable
from threading import Lock

Progress = Callable[[int, int], None]
"""Called with (done, to do) after each piece of work, such as a case; what it raises stops the work."""

ProgressOf = Callable[[str], Callable[..., None]]
"""Makes a progress display with a title; the display is called with done, to do and, in trainings, the loss."""


def unseen(what: str) -> Callable[..., None]:
    """A display that shows nothing, where nobody looks."""
    return lambda done, total, note=None: None


SAY_SECONDS = 60.0
"""How often a log is told of work that goes on."""

_MINUTE, _HOUR = 60, 3600


def time_left(seconds: int | None) -> str:
    """A time left, in words; empty where it is not known."""
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return "less than a minute"
    if seconds < _HOUR:
        return f"about {round(seconds / _MINUTE)} min"
    return f"about {seconds / _HOUR:.1f} h"


class SpokenProgress:
    """A display for logs: a line every minute, and none for work that is done before.

    Args:
        say: Takes a line.
        what: The work's title.
        now: The clock, in seconds.
    """

    def __init__(self, say: Callable[[str], None], what: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._say, self._what, self._now = say, what, now
        self._told = now()
        self._began: tuple[float, int] | None = None

    def __call__(self, done: int, total: int, note: float | None = None) -> None:
        """Says how far the work is, where a minute has passed since it last did.

        Args:
            done: Things done.
            total: Things to do.
            note: A loss, in trainings.
        """
        at = self._now()
        if self._began is None:
            self._began = at, done  # what was done before this run says nothing of its speed
        if at - self._told < SAY_SECONDS:
            return
        self._told = at
        loss = "" if note is None else f", loss {note:.4f}"
        self._say(f"{self._what}: {done} of {total}{loss}{self._left(at, done, total)}")

    def _left(self, at: float, done: int, total: int) -> str:
        began, first = self._began or (at, done)
        if done <= first:
            return ""
        return f", {time_left(round((at - began) / (done - first) * (total - done)))} left"


class RunningTotal:
    """Bytes that are done of those to do; several threads may add to them.

    Args:
        done: Before this run.
        total: To do altogether.
        progress: Called with both.
    """

    def __init__(self, done: int, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = done, total, progress
        self._lock = Lock()

    def add(self, count: int) -> None:
        """Counts bytes that were done."""
        with self._lock:
            self._done += count
            self._progress(self._done, self._total)
