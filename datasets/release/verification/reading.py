"""Reads one file of a release, once: its digest, and what it holds."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.inflating import Inflating
from datasets.release.verification.contents import Facts, Kind, read_gzip, read_image
from datasets.release.verification.image_start import Sizes

_READ_AT_ONCE = 1 << 17
"""What was read is hashed before it leaves the processor's cache."""

_FLAGS = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
"""What opening a file asks for where the system knows it: no link is followed, no pipe waited for."""


@dataclass(frozen=True)
class Plan:
    """A file of a release that is to be read.

    Args:
        path: In the release.
        kind: What it is read for.
        shape: Of an image or a mask, as the manifest says.
    """

    path: str
    kind: Kind = Kind.PLAIN
    shape: Sizes = ()


@dataclass(frozen=True)
class Reading:
    """What came of reading a file.

    Args:
        sha256: Of its bytes; empty where they could not be read.
        facts: Of an image or a mask that is whole.
        refusal: What is wrong inside it, although every byte may be as it was published.
        problem: Why it could not be read, as the system calls it, or that it changed meanwhile.
        status: Of the file while it was read; None where it could not be.
    """

    sha256: str
    facts: Facts | None = None
    refusal: RejectedInput | None = None
    problem: str = ""
    status: os.stat_result | None = None


class OutOfTime(Exception):
    """Reading was asked to stop."""


class HashedFile:
    """An open file whose bytes are counted into a digest as they are read.

    Args:
        stream: The file.
        is_over: Whether to stop.
    """

    def __init__(self, stream: FileIO, is_over: Callable[[], bool]) -> None:
        self._stream = stream
        self._is_over = is_over
        self._digest = hashlib.sha256()

    def read(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            OutOfTime: It is time to stop.
        """
        if self._is_over():
            raise OutOfTime
        piece = self._stream.read(count)
        self._digest.update(piece)
        return piece

    def sha256(self) -> str:
        """The digest of all bytes, after reading those that nobody asked for.

        Raises:
            OutOfTime: It is time to stop.
        """
        piece = memoryview(bytearray(_READ_AT_ONCE))
        while count := self._stream.readinto(piece):
            self._digest.update(piece[:count])
            if self._is_over():
                raise OutOfTime
        return self._digest.hexdigest()


def read_file(
    folder: Path,
    plan: Plan,
    *,
    inflating: type[Inflating] = Inflating,
    is_over: Callable[[], bool] = lambda: False,
) -> Reading:
    """Reads a file to its end.

    Args:
        folder: The release's.
        plan: Which file, and what for.
        inflating: What inflates it.
        is_over: Asked before each piece whether to stop.

    Raises:
        OutOfTime: It was asked to stop.
    """
    facts = refusal = None
    try:
        with _opened(folder / plan.path) as (stream, before):
            file = HashedFile(stream, is_over)
            try:
                facts = _facts(file, plan, inflating)
            except RejectedInput as found:
                refusal = found
            sha256 = file.sha256()
            after = os.fstat(stream.fileno())
    except OSError as problem:
        return Reading("", problem=type(problem).__name__)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return Reading(sha256, problem="it changed meanwhile")
    return Reading(sha256, facts, refusal, status=after)


def _facts(file: HashedFile, plan: Plan, inflating: type[Inflating]) -> Facts | None:
    if plan.kind is Kind.PLAIN:
        return None
    source = inflating(file, is_gzip=True) if plan.path.endswith(".gz") else file
    if plan.kind is Kind.GZIP:
        read_gzip(source)
        return None
    return read_image(source, plan.shape, is_mask=plan.kind is Kind.MASK)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[FileIO, os.stat_result]]:
    flags = os.O_RDONLY
    for name in _FLAGS:
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags)
    with FileIO(descriptor) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError
        yield stream, status
