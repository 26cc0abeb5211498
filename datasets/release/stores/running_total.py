"""Progress that several threads add to."""

from threading import Lock

from datasets.progress import Progress


class RunningTotal:
    """Bytes that are done of those to do.

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
