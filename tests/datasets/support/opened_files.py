"""Which files this process opens, however it does: Python's own record of it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_watching: list[list[Path]] = []
_hooked: list[bool] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _watching and isinstance(arguments[0], str | bytes | os.PathLike):
        _watching[-1].append(Path(os.fsdecode(arguments[0])))


@contextmanager
def opened_files() -> Iterator[list[Path]]:
    """The paths that are opened within the block, by any thread."""
    if not _hooked:  # an audit hook cannot be taken away again
        sys.addaudithook(_note)
        _hooked.append(True)
    opened: list[Path] = []
    _watching.append(opened)
    try:
        yield opened
    finally:
        _watching.remove(opened)
