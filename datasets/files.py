"""Files that are whole or absent, and their digests."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

_CHUNK_BYTES = 1 << 16
"""Of a file in memory at once: what was read is hashed before it leaves the processor's cache."""

_UMASK_READ = Lock()
"""The mask can be read only by setting it: two threads at once would leave it at 0."""


def sha256_of_bytes(content: bytes) -> str:
    """SHA-256 of `content` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of the file's bytes, read in chunks, as 64 lower-case hexadecimal digits."""
    digest, chunk = hashlib.sha256(), memoryview(bytearray(_CHUNK_BYTES))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(chunk):
            digest.update(chunk[:count])
    return digest.hexdigest()


def is_unchanged(path: Path, *, sha256: str) -> bool:
    """Whether the file is there, with the bytes of that digest."""
    return path.exists() and sha256_of_file(path) == sha256


@contextmanager
def replaced_when_whole(path: Path, *, is_one_of_many: bool = False) -> Iterator[Path]:
    """Gives a temporary path beside `path` (same suffixes) and moves it there when the block ends without error.

    A crash or an error leaves the old file at `path`, if any.

    Args:
        path: Where the file goes.
        is_one_of_many: Leave it to the caller to wait, once for all files of a folder, until the folder's list of names
            is on the disk (`flush_to_disk`); a crash before that leaves each file whole, old or new.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix="".join(path.suffixes[-2:]))
    os.close(handle)
    part = Path(name)
    try:
        yield part
        flush_to_disk(part)
        part.chmod(_ordinary_mode())
        part.replace(path)
        if not is_one_of_many:
            flush_to_disk(path.parent)
    finally:
        part.unlink(missing_ok=True)


@cache
def _ordinary_mode() -> int:
    """The mode of a newly opened file; temporary files are always private."""
    with _UMASK_READ:
        mask = os.umask(0)
        os.umask(mask)
    return 0o666 & ~mask


def write_bytes(path: Path, content: bytes, *, is_one_of_many: bool = False) -> None:
    """Writes `content` to `path`, whole or not at all; see `replaced_when_whole`."""
    with replaced_when_whole(path, is_one_of_many=is_one_of_many) as part:
        part.write_bytes(content)


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, two spaces of indent and a final newline: the same value gives the same bytes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as `canonical_json`, whole or not at all."""
    write_bytes(path, canonical_json(value))


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Holds the lock on a file or folder that is there, also while it is renamed; a process that ends lets go of it.

    Yields:
        The open file's descriptor, by which it is known after it was renamed.

    Raises:
        BlockingIOError: Another process holds it.
        FileNotFoundError: It is not there any more.
    """
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)


def flush_to_disk(path: Path) -> None:
    """Waits until the file's bytes, or the folder's list of names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
