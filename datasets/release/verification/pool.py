"""Reads many files on all cores, until all are read or it is time to stop."""

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

from datasets.inflating import Inflating
from datasets.release.verification.reading import OutOfTime, Plan, Reading, read_file
from datasets.release.verification.seen import Seen

_MOST_THREADS = 8
"""A disk that turns is no faster with more."""


class Deadline:
    """When reading has to end.

    Args:
        seconds: From now; None for never.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds
        self._stopped = Event()

    def stop(self) -> None:
        """Ends it now."""
        self._stopped.set()

    def is_over(self) -> bool:
        """Whether it has come."""
        return self._stopped.is_set() or (self._end is not None and time.monotonic() > self._end)


def read_all(
    folder: Path,
    plans: Iterable[Plan],
    seen: Seen,
    *,
    deadline: Deadline,
    inflating: type[Inflating],
    progress: Callable[[Plan], None],
) -> dict[str, Reading]:
    """What came of reading each file, by its path; those for which there was no time are not among them.

    Threads share the work: hashing and inflating leave Python's lock to each other.

    Args:
        folder: The release's.
        plans: Its files.
        seen: What an earlier verification knows.
        deadline: When to stop.
        inflating: What inflates files.
        progress: Called after each file.
    """
    waiting, readings, lock = iter(plans), dict[str, Reading](), Lock()

    def work() -> None:
        while not deadline.is_over():
            with lock:
                plan = next(waiting, None)
            if plan is None:
                return
            known = seen.reading(folder, plan)
            reading = known or read_file(folder, plan, inflating=inflating, is_over=deadline.is_over)
            with lock:
                readings[plan.path] = reading
                if known is None:
                    seen.add(plan, reading)
                progress(plan)

    threads = cores()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for done in [pool.submit(_unless_over, work) for _ in range(threads)]:
                done.result()
        except BaseException:
            deadline.stop()
            raise
    return readings


def cores() -> int:
    """Cores that this process may use, up to a limit."""
    allowed = getattr(os, "sched_getaffinity", None)
    return min(_MOST_THREADS, (len(allowed(0)) if allowed else os.cpu_count()) or 1)


def _unless_over(work: Callable[[], None]) -> None:
    try:
        work()
    except OutOfTime:
        return
