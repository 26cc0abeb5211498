"""One process that is kept running: when it ends, the rest of its group is ended and it is started again."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a process is started again: twice as long after each end, and never longer than the second."""

SETTLED_SECONDS = 60.0
"""A process that lasted this long begins anew with the shortest pause."""

HOPELESS_AFTER = 3
"""Ends in a row, by itself and soon after its start, after which a process that never ran will never run."""

_LOG_LINES_SHOWN = 12


class KeptProcess:
    """A command that runs in a process group of its own and writes into its log file.

    Args:
        command: Its words; no shell.
        folder: Where it runs.
        environment: All of its variables.
        log: Where its output goes.
    """

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._command = command
        self._folder = folder
        self._environment = dict(environment)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._ends = self._ends_by_itself = 0
        self._next_start = 0.0
        self.last_end = "nothing yet"

    @property
    def group(self) -> int | None:
        """Number of its process group; None while it waits for its next start."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_hopeless(self) -> bool:
        """Whether it ended by itself so often that the next start will end as well: bad configuration, a taken port."""
        return self._ends_by_itself >= HOPELESS_AFTER

    def start(self) -> None:
        """Starts the process.

        Raises:
            OSError: The system has no room for a process, or its program or folder is gone.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (the Procfile's own words, no shell)
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def tend(self) -> str | None:
        """Starts it again where it ended and its pause is over.

        Returns:
            A line about what happened; None where nothing did.
        """
        now = time.monotonic()
        if self._process is None:
            return self._start_again() if now >= self._next_start else None
        status = self._process.poll()
        if status is None:
            if now - self._began > SETTLED_SECONDS:
                self._ends = self._ends_by_itself = 0
            return None
        _kill_group(self._process.pid)  # what it started must not hold its port when it comes back
        self._process = None
        return self._note_end(_describe(status), by_itself=status >= 0)

    def terminate(self) -> None:
        """Asks its whole group to end."""
        if self._process is not None and self.is_running:
            signal_group(self._process.pid, signal.SIGTERM)

    def end(self, *, seconds: float) -> None:
        """Waits until it has ended, and kills what is left of its group then."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=max(0.1, seconds))
        _kill_group(self._process.pid)
        self._process.wait()
        self._process = None

    def tail(self) -> str:
        """The end of its log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "    (no log)"
        return "\n".join(f"    {line}" for line in lines[-_LOG_LINES_SHOWN:])

    def _start_again(self) -> str | None:
        try:
            self.start()
        except OSError as error:  # no memory, no process, a full disk: the next pause is longer
            return self._note_end(f"no start ({error.strerror})", by_itself=True)
        return "was started again."

    def _note_end(self, how: str, *, by_itself: bool) -> str:
        self._ends += 1
        self._ends_by_itself = self._ends_by_itself + 1 if by_itself else 0
        pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(self._ends - 1, 16))
        self._next_start = time.monotonic() + pause
        self.last_end = how
        line = f"ended with {how}; it is started again in {pause:g} s."
        with suppress(OSError), self.log.open("a") as log:
            log.write(f"--- {line}\n")
        return f"{line} See data/logs/{self.log.name}."


def _kill_group(group: int) -> None:
    signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: signal.Signals) -> None:
    """Sends a signal to all that is left of a process group."""
    with suppress(ProcessLookupError, PermissionError):  # nobody is left in it
        os.killpg(group, number)


def _describe(status: int) -> str:
    try:
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    except ValueError:
        return f"signal {-status}"
