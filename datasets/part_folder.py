"""Folders that are made beside their place and moved there when whole; remains of killed runs are found and removed.

`kept_part_folder` is for long work: what a killed run did stays, and the next run goes on with it. A run holds a lock
on its folder as long as it lives; the system lets go of it whatever happens.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets.files import flush_to_disk, locked

PART_PREFIX = ".part-"

_BEING_MADE = ".making-"
_PART = re.compile(r"\.part-[a-z0-9_]{8}(-old)?")


@contextmanager
def part_folder(home: Path) -> Iterator[Path]:
    """A new folder in `home`, the owner's alone; gone when the block ends unless it was moved away.

    Args:
        home: The folder in which it is made; created if absent.
    """
    home.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=home, prefix=_BEING_MADE))
    part = made.with_name(PART_PREFIX + made.name.removeprefix(_BEING_MADE))
    try:
        with locked(made):
            made.rename(part)  # nobody takes it for remains before it is locked
            yield part
    finally:
        for path in (made, part):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def kept_part_folder(home: Path, name: str) -> Iterator[Path]:
    """A folder in `home`, the owner's alone, that stays when the run ends early, so that the next one goes on in it.

    Args:
        home: The folder in which it is made; created if absent.
        name: The same for all runs that do the same work.

    Raises:
        BlockingIOError: Another run is at work in it.
        FileNotFoundError: Another run has just moved it to its place.
        FileExistsError: Something lies there that is no folder.
        PermissionError: It is somebody else's, who could change what is in it.
    """
    home.mkdir(parents=True, exist_ok=True)
    part = home / f"{PART_PREFIX}{name}"
    part.mkdir(mode=0o700, exist_ok=True)
    if part.is_symlink():
        raise FileExistsError
    if part.stat().st_uid != os.getuid():
        raise PermissionError
    with locked(part) as descriptor:
        if not os.path.samestat(os.fstat(descriptor), part.lstat()):  # it was moved before it was locked
            raise FileNotFoundError
        yield part


def place_part(part: Path, place: Path) -> None:
    """Moves a whole `part_folder` to its place, where everybody may read it.

    Raises:
        OSError: Something lies there, or the disk fails.
    """
    part.chmod(0o755)
    part.rename(place)
    flush_to_disk(place.parent)


def remove_remains(home: Path) -> int:
    """Removes the unfinished folders of runs that are dead; returns how many.

    Args:
        home: A folder of ours: any folder in it with such a name is taken for remains.
    """
    removed = 0
    for path in sorted(home.glob(f"{PART_PREFIX}*")):
        if _PART.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            removed += _removed(path)
    return removed


def _removed(path: Path) -> bool:
    try:
        with locked(path):
            shutil.rmtree(path, ignore_errors=True)
    except (BlockingIOError, FileNotFoundError):  # somebody is at work in it, or came first
        return False
    return not path.exists()
