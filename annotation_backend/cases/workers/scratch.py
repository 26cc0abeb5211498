"""Scratch: the place of unfinished work, in the data folder, so that a whole folder is moved in with one rename."""

import filecmp
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from filelock import FileLock

from datasets.files import flush_to_disk, locked


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of this run, gone when the run ends; folders that killed runs left behind are removed first.

    A run holds a lock on a file beside its folder as long as it lives; the system lets go of it whatever happens.
    """
    home = Path(settings.DATA_FOLDER) / "scratch"
    home.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(home)
    name = f"run-{secrets.token_hex(8)}"
    folder, lock, unseen = home / name, home / f"{name}.lock", home / f".{name}.lock"
    unseen.touch(mode=0o600)
    with locked(unseen):
        unseen.rename(lock)  # nobody takes it for remains before it is locked
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def new_folder(scratch: Path) -> Path:
    """A new empty folder in a run's scratch folder."""
    folder = scratch / secrets.token_hex(8)
    folder.mkdir()
    return folder


def move_in(whole: Path, place: Path) -> None:
    """Moves a folder to a place that no record names yet, instead of remains of a killed run."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    whole.rename(place)
    flush_to_disk(place.parent)


def move_beside(whole: Path, place: Path) -> Path:
    """Moves a folder to its place and touches nothing that lies there, for a record may name it.

    Returns:
        Where the content lies now: the place, which may have held the same files before, or a new name beside it.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    if _is_same(whole, place):
        return place
    free = place.with_name(f"{place.name}-{secrets.token_hex(4)}") if place.exists() else place
    whole.rename(free)
    flush_to_disk(free.parent)
    return free


def remove_others(*kept: Path) -> None:
    """Removes everything beside folders of one home; only once the records that name these folders are written."""
    for path in kept[0].parent.iterdir():
        if path.is_dir() and path not in kept:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file():
            path.unlink(missing_ok=True)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Waits until no other process changes a folder's files and their record, and keeps others waiting meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock", mode=0o600):
        yield


def _is_same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files, byte for byte."""
    names = [_file_names(folder) for folder in (one, other)]
    return names[0] == names[1] and all(filecmp.cmp(one / name, other / name, shallow=False) for name in names[0])


def _file_names(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _remove_leftovers(home: Path) -> None:
    for lock in home.glob("run-*.lock"):
        try:
            with locked(lock):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):  # somebody is at work in it, or came first
            continue
