"""The same work on many files at once; the first error ends it."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock


def each_at_once(work: Callable[[str], object], paths: Iterable[str], *, threads: int) -> None:
    """Does the work on every path; those that were begun when an error came are ended, others are not begun.

    Raises:
        Exception: The first that the work raised.
    """
    waiting, lock = iter(paths), Lock()
    with ThreadPoolExecutor(threads) as pool:
        shared = _Stoppable(waiting, lock)
        try:
            for done in [pool.submit(_work_through, work, shared) for _ in range(threads)]:
                done.result()
        finally:
            shared.stop()


class _Stoppable:
    """Paths that threads take one by one until somebody stops them."""

    def __init__(self, paths: Iterator[str], lock: Lock) -> None:
        self._paths, self._lock, self._is_over = paths, lock, False

    def next(self) -> str | None:
        with self._lock:
            return None if self._is_over else next(self._paths, None)

    def stop(self) -> None:
        self._is_over = True


def _work_through(work: Callable[[str], object], paths: _Stoppable) -> None:
    try:
        while (path := paths.next()) is not None:
            work(path)
    except BaseException:
        paths.stop()
        raise
