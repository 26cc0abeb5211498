"""The processes of one machine: started from the Procfile, watched together, stopped together."""

import errno
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from annotation_backend.environment import LISTENER_FOR_LABEL_STUDIO
from datasets.errors import RejectedInput, TryAgain

STOP_SECONDS = 15.0
"""A process that has not ended this long after SIGTERM is killed."""

_LOG_LINES_SHOWN = 12


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
    """The Procfile's processes, each with a log file, in a process group of its own."""

    def __init__(self, procfile: Path, *, logs: Path, environment: dict[str, str]) -> None:
        self._commands = read_procfile(procfile)
        self._folder = procfile.parent
        self._logs = logs
        self._environment = {**os.environ, **environment, "PATH": _path_with_our_programs()}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Starts one process; its output goes to ``<logs>/<name>.log``."""
        self._logs.mkdir(parents=True, exist_ok=True)
        command = [_expand(word, self._environment) for word in self._commands[name]]
        with self.log_of(name).open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 (the Procfile's own words, no shell)
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log_of(self, name: str) -> Path:
        """Where a process's output goes."""
        return self._logs / f"{name}.log"

    def require_alive(self) -> None:
        """Raises when a process has ended, with its name, its exit status and the end of its log.

        Raises:
            TryAgain: ``process-ended``.
        """
        for name, process in self._running.items():
            status = process.poll()
            if status is not None:
                raise TryAgain(
                    "process-ended",
                    f"{name} ended with {_describe(status)}. The end of its log:\n{self._tail(name)}\n",
                    remedy=f"The whole log is data/logs/{name}.log.",
                )

    def wait_until(self, is_ready: Callable[[], bool], *, what: str, seconds: float) -> None:
        """Waits until `is_ready`, watching the processes.

        Raises:
            TryAgain: A process ended, or the time is over (``not-ready``).
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            self.require_alive()
            if time.monotonic() > deadline:
                raise TryAgain(
                    "not-ready", f"{what} did not answer within {seconds:.0f} s.", remedy="See the logs in data/logs."
                )
            time.sleep(0.5)

    def stop(self) -> None:
        """Stops all: SIGTERM to each process group, and SIGKILL to what is left after `STOP_SECONDS`."""
        for process in self._running.values():
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()
        self._running.clear()

    def _tail(self, name: str) -> str:
        lines = self.log_of(name).read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-_LOG_LINES_SHOWN:])


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
        f"Expected this machine to have the address {host}, on which Label Studio alone reaches us, got none.",
        remedy=f"On macOS run `sudo ifconfig lo0 alias {host}` once after each start of the machine.",
    )


def _path_with_our_programs() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def _expand(word: str, environment: dict[str, str]) -> str:
    return environment[word[1:]] if word.startswith("$") else word


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)


def _describe(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
