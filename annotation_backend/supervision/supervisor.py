"""The processes of one machine: started from the Procfile, kept running together, stopped together."""

import errno
import logging
import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from annotation_backend.environment import LISTENER_FOR_LABEL_STUDIO
from annotation_backend.supervision.former_run import FormerRun
from annotation_backend.supervision.kept_process import KeptProcess
from datasets.errors import RejectedInput, TryAgain

logger = logging.getLogger(__name__)

STOP_SECONDS = 15.0
"""A process that has not ended this long after SIGTERM is killed."""

_LOOK_SECONDS = 0.5


def require_free(url: str, *, what: str) -> None:
    """Refuses to go on when something listens where `what` is to be started.

    Raises:
        RejectedInput: ``port-taken``, naming the setting that moves it.
    """
    address = urlsplit(url)
    host = LISTENER_FOR_LABEL_STUDIO if address.hostname == LISTENER_FOR_LABEL_STUDIO else "127.0.0.1"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, address.port or 80))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise _no_such_address(host) from error
            raise RejectedInput(
                "port-taken",
                f"{what} needs port {address.port} of {host}, and another program has it.",
                remedy=f"Stop that program (is Maskloop running already?), or set another address for {what} in .env.",
            ) from error


class Processes:
    """The Procfile's processes, each with a log file, in a process group of its own, started again when it ends.

    Args:
        procfile: Names and commands.
        logs: The folder of their log files.
        environment: Variables that they get beside this process's own environment.
        tell: Called with one line when a process ended, was started again, or answers again.
    """

    def __init__(
        self,
        procfile: Path,
        *,
        logs: Path,
        environment: dict[str, str],
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._commands = read_procfile(procfile)
        self._folder = procfile.parent
        self._logs = logs
        self._environment = {**os.environ, **environment, "PATH": _path_with_our_programs()}
        self._tell = tell
        self._kept: dict[str, KeptProcess] = {}
        self._answers: dict[str, Callable[[], bool]] = {}
        self._silent: set[str] = set()
        self._former = FormerRun(logs / "up.json")
        self._lock = threading.Lock()
        self._is_over = threading.Event()

    def end_former(self) -> None:
        """Ends processes that a killed `up` left running here, and says so.

        Raises:
            RejectedInput: One that lives works on this data folder (``up-running``).
        """
        if self._former.is_going_on:
            raise RejectedInput(
                "up-running",
                "Another `up` runs on this data folder.",
                remedy="Stop it first, with Ctrl-C where it was started. Another one needs its own MASKLOOP_DATA.",
            )
        if count := self._former.end():
            self._say(f"{count} process(es) that an `up` left running when it was killed were ended.")

    def keep(self) -> None:
        """Tends the processes from now on, whatever the caller does meanwhile, until `stop`."""
        threading.Thread(target=self._tend_on, name="processes", daemon=True).start()

    def start(self, name: str, *, answers: Callable[[], bool] | None = None) -> None:
        """Starts one process; its output goes to ``<logs>/<name>.log``.

        Args:
            name: The Procfile's.
            answers: Whether it answers now; asked after it was started again, until it does.
        """
        words = [_expand(word, self._environment) for word in self._commands[name]]
        kept = KeptProcess(words, folder=self._folder, environment=self._environment, log=self.log_of(name))
        with self._lock:
            kept.start()
            self._kept[name] = kept
            self._note()
        if answers:
            self._answers[name] = answers

    def log_of(self, name: str) -> Path:
        """Log file of a process's output."""
        return self._logs / f"{name}.log"

    def tend(self) -> None:
        """Starts processes again that ended and whose pause is over, and says so."""
        with self._lock:
            for name, process in self._kept.items():
                if line := process.tend():
                    self._say(f"{name} {line}")
                    self._silent |= {name} & self._answers.keys() if process.is_running else set()
                    self._note()
        for name in [name for name in list(self._silent) if self._answers[name]()]:
            self._silent.discard(name)
            self._say(f"{name} answers again.")

    def require_hope(self, needed: Collection[str]) -> None:
        """Raises when one of the processes ends again and again by itself, with its status and the end of its log.

        Raises:
            TryAgain: ``process-ended``.
        """
        for name in needed:
            process = self._kept[name]
            if process.is_hopeless:
                raise TryAgain(
                    "process-ended",
                    f"{name} ended with {process.last_end} each time. The end of its log:\n{process.tail()}\n",
                    remedy=f"The whole log is data/logs/{name}.log.",
                )

    def wait_until(
        self, is_ready: Callable[[], bool], *, what: str, seconds: float, needed: Collection[str] | None = None
    ) -> None:
        """Waits until `is_ready`, tending the processes.

        Args:
            is_ready: Asked again and again.
            what: Name of the service that is waited for.
            seconds: Longest wait.
            needed: Processes without which it cannot become ready; all where nothing is said.

        Raises:
            TryAgain: A needed process cannot run (``process-ended``), or the time is over (``not-ready``).
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            self.tend()
            self.require_hope(self._kept if needed is None else needed)
            if time.monotonic() > deadline:
                raise TryAgain(
                    "not-ready", f"{what} did not answer within {seconds:.0f} s.", remedy="See the logs in data/logs."
                )
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """Stops all: SIGTERM to each process group, and SIGKILL to what is left after `STOP_SECONDS`."""
        self._is_over.set()
        with self._lock:
            for process in self._kept.values():
                process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for process in self._kept.values():
                process.end(seconds=deadline - time.monotonic())
            self._kept.clear()
        self._former.forget()

    def _note(self) -> None:
        self._former.note(group for process in self._kept.values() if (group := process.group) is not None)

    def _tend_on(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            try:
                self.tend()
            except Exception as error:  # whatever it is, nothing would be started again any more
                logger.exception("tending the processes broke")
                self._say(f"Tending the processes broke ({type(error).__name__}); it goes on.")

    def _say(self, line: str) -> None:
        with suppress(OSError):  # a terminal that is gone, or a log on a full disk, ends nothing
            self._tell(line)


def read_procfile(path: Path) -> dict[str, list[str]]:
    """Name and words of each process; the format that foreman and honcho read too."""
    commands = {}
    for line in path.read_text().splitlines():
        name, separator, command = line.partition(":")
        if separator and not name.startswith("#"):
            commands[name.strip()] = shlex.split(command)
    return commands


def _no_such_address(host: str) -> RejectedInput:
    """Linux answers to all of 127.0.0.0/8; macOS to 127.0.0.1 only, until it is told."""
    return RejectedInput(
        "address-missing",
        f"This machine does not have the address {host}, on which Label Studio alone reaches us.",
        remedy=f"On macOS run `sudo ifconfig lo0 alias {host}` once after each start of the machine.",
    )


def _path_with_our_programs() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def _expand(word: str, environment: dict[str, str]) -> str:
    return environment[word[1:]] if word.startswith("$") else word
