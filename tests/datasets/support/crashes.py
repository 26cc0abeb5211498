"""Crashes at every file operation of an action, one after the other: whatever it does to files is found by itself."""

import os
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from datasets.errors import TryAgain

_CHANGES = frozenset(
    {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "os.link", "os.symlink", "os.truncate", "os.utime"}
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_KILLED, _FAILED = 9, 28


class Crash(Enum):
    """What happens instead of a file operation."""

    KILL = "the process is killed"
    FULL_DISK = "the disk is full"


def file_operations(root: Path, action: Callable[[], object]) -> int:
    """How many operations an action makes that change files or folders below `root`, or wait for the disk.

    The action is done in another process; what it leaves on the disk stays.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        counted = _Operations(root)
        action()
        os.write(sender, str(counted.done).encode())
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as stream:
        text = stream.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return int(text)


def crash_at(root: Path, action: Callable[[], object], number: int, how: Crash) -> bool:
    """Does an action in another process, and lets its `number`-th file operation below `root`, from 1, be a crash.

    Returns:
        Whether it succeeded all the same: a folder that is there already need not be made.
    """
    child = os.fork()
    if child == 0:
        _Operations(root, number, how)
        try:
            action()
        except BaseException as error:
            cause = error.__cause__ if isinstance(error, TryAgain) else error  # as the system said it, or in our words
            os._exit(_FAILED if isinstance(cause, OSError) and cause.errno == _FAILED else 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in ((_KILLED,) if how is Crash.KILL else (_FAILED, 0)), f"operation {number} ended with {code}"
    return code == 0


class _Operations:
    """Counts the file operations of this process from now on; for a child process, since a hook cannot be taken out."""

    def __init__(self, root: Path, last: int = 0, how: Crash = Crash.KILL) -> None:
        self.done = 0
        self._root, self._last, self._how = str(root), last, how
        real = os.fsync

        def fsync(descriptor: int) -> None:
            self._count()
            real(descriptor)

        os.fsync = fsync
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            is_change = bool(flags & _WRITING)
        else:
            path, is_change = arguments[0] if arguments else None, event in _CHANGES
        if is_change and isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self._root):
            self._count()

    def _count(self) -> None:
        self.done += 1
        if self.done == self._last:
            if self._how is Crash.KILL:
                os._exit(_KILLED)
            raise OSError(_FAILED, "No space left on device")
