"""Scratch: where unfinished work lies, in the data folder, so that what is whole can be moved in with one rename."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from datasets.files import flush_to_disk


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of this run, gone when the run ends; what runs that were killed left behind is removed first.

    A run holds a lock on a file beside its folder as long as it lives; the system lets go of it whatever happens.
    """
    home = Path(settings.DATA_FOLDER) / "scratch"
    home.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(home)
    name = f"run-{secrets.token_hex(8)}"
    folder, lock = home / name, home / f"{name}.lock"
    with _locked(home / f".{name}.lock") as held:
        held.rename(lock)  # nobody saw it before it was locked
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def move_in(whole: Path, place: Path) -> None:
    """Moves a folder to its place, instead of what may lie there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    whole.rename(place)
    flush_to_disk(place.parent)


def _remove_leftovers(home: Path) -> None:
    for lock in home.glob("run-*.lock"):
        try:
            with _locked(lock):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        except BlockingIOError:
            continue


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """Holds the lock on a file; BlockingIOError where another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    finally:
        os.close(descriptor)
