"""The files of a release's folder, found without following a link or opening anything."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets.release.verification.fault import Fault, fault


@dataclass(frozen=True)
class Tree:
    """The files in a folder.

    Args:
        files: Size of every regular file by its path in the folder, with forward slashes.
        faults: Links, devices, empty folders and folders that cannot be listed.
    """

    files: Mapping[str, int]
    faults: tuple[Fault, ...]


def read_tree(folder: Path) -> Tree:
    """Lists a folder."""
    files: dict[str, int] = {}
    faults: list[Fault] = []
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(folder / inside) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as problem:
            faults.append(_unlisted(inside, problem))
            continue
        if inside and not found:
            faults.append(fault("folder-extra", "The folder is empty.", subject=inside))
        for entry in found:
            path = f"{inside}/{entry.name}" if inside else entry.name
            _sort_in(entry, path, files, waiting=waiting, faults=faults)
    return Tree(files, tuple(faults))


def _sort_in(
    entry: "os.DirEntry[str]", path: str, files: dict[str, int], *, waiting: list[str], faults: list[Fault]
) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as problem:
        faults.append(_unlisted(path, problem))
        return
    if stat.S_ISREG(status.st_mode):
        files[path] = status.st_size
    elif stat.S_ISDIR(status.st_mode):
        waiting.append(path)
    elif stat.S_ISLNK(status.st_mode):
        faults.append(fault("symlink", "This is a symbolic link; it was not followed.", subject=path))
    else:
        faults.append(fault("not-a-file", "This is a device, pipe or socket; it was not opened.", subject=path))


def _unlisted(path: str, problem: OSError) -> Fault:
    message = f"The folder cannot be listed ({type(problem).__name__})."
    return fault("folder-unreadable", message, subject=path or ".", remedy="Give yourself the right to read it.")
