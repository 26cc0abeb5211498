"""The files below a folder in one fixed order, each known by its number, so that a finding need not name a path.

Nothing hidden is among them. Links, pipes and devices are, since somebody has to be told of them; whoever reads a file
refuses those.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_MOST_LISTED = 5
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class FileTree:
    """What lies below a folder. Paths often hold patients' names and are never to be shown.

    Args:
        folder: The folder.
        paths: Of all files below it, with ``/``, in order.
        closed: The errors of folders that could not be opened.
        hidden: How many folders were passed over because their names start with a dot.
    """

    folder: Path = field(repr=False)
    paths: tuple[str, ...] = field(repr=False)
    closed: tuple[OSError, ...] = field(default=(), repr=False)
    hidden: int = 0

    @classmethod
    def of(cls, folder: Path) -> "FileTree":
        """The tree of a folder, as it is now."""
        closed: list[OSError] = []
        hidden: list[str] = []
        paths = sorted(path.relative_to(folder).as_posix() for path in _walk(folder, closed, hidden))
        return cls(folder, tuple(paths), tuple(closed), len(hidden))

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Path to the number by which findings name the file, from 1."""
        return {path: number for number, path in enumerate(self.paths, start=1)}

    @cached_property
    def top(self) -> tuple[str, ...]:
        """The folders at the top, in order."""
        return tuple(dict.fromkeys(path.partition("/")[0] for path in self.paths if "/" in path))

    def subject(self, *paths: str) -> str:
        """How a finding names files: by their numbers, and not more than a few of them."""
        named = [f"file {self.numbers[path]}" for path in paths[:_MOST_LISTED]]
        more = len(paths) - len(named)
        return ", ".join(named) + (f" and {more} others" if more else "")

    def below(self, top: str) -> "FileTree":
        """The tree of a folder at the top, numbered from 1 again."""
        inner = tuple(path.removeprefix(f"{top}/") for path in self.paths if path.startswith(f"{top}/"))
        return FileTree(self.folder / top, inner, self.closed, self.hidden)

    def file(self, path: str) -> Path:
        """Where a file lies."""
        return self.folder / path


def leads_outside(path: str) -> bool:
    """Whether a path that somebody wrote down is absolute, climbs upwards or is of another system."""
    return path.startswith(("/", "\\", "~")) or ".." in re.split(r"[/\\]", path) or bool(_DRIVE.match(path))


def _walk(folder: Path, closed: list[OSError], hidden: list[str]) -> Iterator[Path]:
    """Every file below a folder, links to folders among them; nothing hidden.

    Folders that cannot be opened go to `closed`, hidden ones to `hidden`.
    """
    for root, folders, files in os.walk(folder, followlinks=False, onerror=closed.append):
        hidden += [name for name in folders if name.startswith(".")]
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                yield Path(root, name)
        yield from (Path(root, name) for name in folders if Path(root, name).is_symlink())
