"""Processes that a killed `up` left running: noted while it runs, and ended by the next `up`."""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from annotation_backend.supervision.kept_process import signal_group

WAIT_SECONDS = 15.0
"""Time that they have to end by themselves."""


class FormerRun:
    """The note of one installation.

    Args:
        file: Where it is kept.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, groups: Iterable[int]) -> None:
        """Writes down this process and the groups that it started."""
        known = {str(pid): began for pid in groups if (began := _began(pid))}
        with suppress(OSError):  # a full disk ends nothing; then the next `up` says that a port is taken
            self._file.write_text(json.dumps({"up": {str(os.getpid()): _began(os.getpid())}, "groups": known}))

    def forget(self) -> None:
        """Forgets a run of which nothing is left."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    @property
    def is_going_on(self) -> bool:
        """Whether the `up` that noted this lives, and is another than this one."""
        return any(pid != os.getpid() for pid in _living(self._read().get("up", {})))

    def end(self) -> int:
        """Ends the processes that a killed `up` left; those of one that lives are left alone.

        Returns:
            How many process groups there were.
        """
        noted = self._read()
        if _living(noted.get("up", {})):
            return 0
        left = _living(noted.get("groups", {}))
        for group in left:
            signal_group(group, signal.SIGTERM)
        deadline = time.monotonic() + WAIT_SECONDS
        while any(map(_began, left)) and time.monotonic() < deadline:
            time.sleep(0.2)
        for group in left:
            signal_group(group, signal.SIGKILL)
        return len(left)

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            noted = dict(json.loads(self._file.read_text()))
            return {name: {str(int(pid)): began for pid, began in dict(noted[name]).items()} for name in noted}
        except (OSError, ValueError, TypeError):  # damaged: then the next `up` says that a port is taken
            return {}


def _living(noted: dict[str, str]) -> list[int]:
    """The noted processes that still run, without others that were given their numbers since."""
    return [int(pid) for pid, began in noted.items() if began and _began(int(pid)) == began]


def _began(pid: int) -> str | None:
    """The start of a process, in the system's own measure; None where it is gone, or the system does not tell."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] == "Z" else words[19]
