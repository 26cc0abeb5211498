"""A Dask scheduler and workers as separate processes on this machine, started as a person would."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from annotation_backend.compute import ONE_THREAD_EACH
from annotation_backend.environment import ROOT


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class DaskProcesses:
    """A scheduler, and workers with one thread each, which are restarted when they die."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    def kill_a_worker(self) -> int:
        """Ends a worker as the system's out-of-memory killer would; returns its process id."""
        [process] = [
            child for child in psutil.Process(self.workers[0].pid).children(recursive=True) if _computes(child)
        ]
        process.send_signal(signal.SIGKILL)
        return int(process.pid)


def _computes(process: psutil.Process) -> bool:
    """The nanny's other child is Python's resource tracker."""
    return "resource_tracker" not in " ".join(process.cmdline())


@contextmanager
def dask_processes(*, workers: int = 0, memory: str = "3GB", tls: Path | None = None) -> Iterator[DaskProcesses]:
    """Starts them, and ends them.

    Args:
        workers: How many.
        memory: What each may hold.
        tls: One PEM file with certificate and key, its own authority, for all of them; None for plain TCP.
    """
    port = free_port()
    address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{port}"
    safe = ["--tls-ca-file", str(tls), "--tls-cert", str(tls), "--tls-key", str(tls)] if tls else []
    with tempfile.TemporaryDirectory(prefix="maskloop-dask-") as folder:
        scheduler = _start("scheduler", "--port", str(port), "--protocol", address.partition(":")[0], *safe)
        own = ["--nthreads", "1", "--memory-limit", memory, "--local-directory", folder, *safe]
        started = [_start("worker", address, *own) for _ in range(workers)]
        try:
            yield DaskProcesses(address, scheduler, started)
        finally:
            _end(started)  # before the scheduler, for whose answer they would wait
            _end([scheduler])


def _start(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *words, "--host", "127.0.0.1", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **ONE_THREAD_EACH}, **quiet)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
