"""Functions that the tests of computing send to workers."""

import os
import signal
import time
from pathlib import Path

from datasets.errors import RejectedInput


def double(number: int) -> int:
    """Refuses 3, breaks on 4."""
    if number == 3:
        raise RejectedInput("three", "Expected another number, got 3.", remedy="Give another.")
    if number == 4:
        raise KeyError("Zz Canary^Nightingale")
    return 2 * number


def die_once(path: Path) -> str:
    """Kills its worker unless it was here before."""
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def die_always(name: str) -> str:
    """Kills its worker when it is the bad one."""
    if name == "bad":
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def wait_in(path: Path) -> int:
    """Says that it started, and takes its time."""
    path.touch()
    time.sleep(30)
    return os.getpid()


def environment(name: str) -> str | None:
    """A variable of the worker's environment."""
    return os.environ.get(name)
