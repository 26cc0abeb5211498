"""Presence of an installation's processes: each holds a lock on a file of its own for as long as it lives.

The system lets go of a lock when its process ends, however it ends. So nobody has to beat, and a process that was
stopped or computes for an hour is there all the same. The files lie in the data folder, which all machines share.
"""

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

from django.conf import settings

_SEPARATOR = "--"


class Part(StrEnum):
    """A process without which something is left undone."""

    WORKER = "worker"
    TRAINER = "trainer"
    RECONCILER = "reconciler"

    @property
    def undone(self) -> str:
        """The work that is left undone while it is not there."""
        return {
            Part.WORKER: "masks are not assembled and predictions not drawn",
            Part.TRAINER: "nothing is trained",
            Part.RECONCILER: "saves whose webhook was lost are not taken over",
        }[self]


@contextmanager
def present(part: Part) -> Iterator[str]:
    """Says that this process is there until the block ends.

    Yields:
        The name under which it is: part, machine, process and a word drawn at random, so that no name comes twice.
    """
    host = "".join(letter if letter.isalnum() else "-" for letter in socket.gethostname())[:24]
    with held(part.value, host.strip("-"), str(os.getpid())) as name:
        yield name


@contextmanager
def held(*words: str) -> Iterator[str]:
    """Holds a lock of this process until the block ends, so that `is_present` says of its name that it is there.

    Args:
        words: Letters, digits and single hyphens.

    Yields:
        The name: the words, and one drawn at random, so that no name comes twice.
    """
    name = _SEPARATOR.join([*words, secrets.token_hex(4)])
    _folder().mkdir(parents=True, exist_ok=True)
    path = _folder() / name
    descriptor = _locked(path)
    try:
        yield name
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def is_present(name: str) -> bool:
    """Whether the process of that name lives. One of an earlier version, which held no lock, does not."""
    if not name.count(_SEPARATOR) or "/" in name:
        return False
    try:
        descriptor = os.open(_folder() / name, os.O_RDWR)
    except FileNotFoundError:
        return False
    except PermissionError:  # another account's process: nobody is taken for dead who cannot be asked
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def missing() -> list[Part]:
    """The parts of which no process is there."""
    there = {name.partition(_SEPARATOR)[0] for name in _names() if is_present(name)}
    return [part for part in Part if part.value not in there]


def clear_gone() -> None:
    """Removes the files of processes that ended without doing so."""
    for name in _names():
        if not is_present(name):
            with suppress(OSError):
                (_folder() / name).unlink(missing_ok=True)


def _locked(path: Path) -> int:
    """A descriptor that holds the lock; made anew where somebody cleared the file away before it was locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            return descriptor
        os.close(descriptor)


def _names() -> list[str]:
    with suppress(FileNotFoundError, PermissionError):
        return sorted(path.name for path in _folder().iterdir())
    return []


def _folder() -> Path:
    return Path(settings.DATA_FOLDER) / "presence"
