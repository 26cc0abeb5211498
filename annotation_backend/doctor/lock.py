"""One doctor at a time: a doctor removes rehearsal cases that are left behind, and would remove another's, too."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

from datasets.errors import TryAgain


@contextmanager
def alone() -> Iterator[None]:
    """Holds the doctor's place until the block ends; the system gives it back when a process dies.

    Raises:
        TryAgain: Another doctor is at work (``doctor-busy``).
    """
    stream = _place()
    if stream is None:
        yield
        return
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TryAgain(
                "doctor-busy",
                "Another doctor is trying this installation now, with a rehearsal of its own.",
                remedy="Wait until it is done, and run this again.",
            ) from error
        yield


def _place() -> IO[bytes] | None:
    """None where the data folder cannot be written: then there is no rehearsal either, and the doctor says so."""
    try:
        return (Path(settings.DATA_FOLDER) / "doctor.lock").open("wb")
    except OSError:
        return None
