"""Names inside an archive: where an entry may be put, and which names no file of ours may have.

A name that another system would read as another file, or that shows itself as what it is not, is refused on every
system: what was unpacked here is copied elsewhere later.
"""

import re
from unicodedata import category, normalize

from datasets.errors import RejectedInput
from datasets.file_tree import leads_outside

MOST_NAME_BYTES = 255
"""Of one part of a path, on the usual file systems."""

_MOST_PATH_BYTES = 2048
_MOST_DEPTH = 64
_OF_WINDOWS = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Unicode's classes of signs that do not show: control characters, changes of direction, ends of lines."""

_LEFT_OUT = ("__MACOSX",)
"""Folders that systems pack along; so are names that start with a dot, which no scan looks at."""


class EntryNames:
    """The names of one archive, seen so far."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._folders: set[str] = set()
        self._count = 0

    def place(self, name: str, *, is_folder: bool) -> str:
        """The path below the folder at which an entry is put, with ``/``; empty for one that is left out.

        Args:
            name: As the archive has it.
            is_folder: Whether it is a folder.

        Raises:
            RejectedInput: ``archive-path-outside``, ``archive-name``, or ``archive-names-alike`` (the same file twice,
                also by capitals or by how accents are composed, or a file that is also a folder).
        """
        self._count += 1
        _require_inside(name, self._count)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        for part in parts:
            _require_plain(part, self._count)
        path = "/".join(parts)
        if len(parts) > _MOST_DEPTH or len(path.encode(errors="surrogateescape")) > _MOST_PATH_BYTES:
            raise _bad_name("its path is too long", self._count)
        if not parts or any(part.startswith(".") or part in _LEFT_OUT for part in parts):
            return ""
        self._require_alone(path, parts, is_folder=is_folder)
        return path

    def _require_alone(self, path: str, parts: list[str], *, is_folder: bool) -> None:
        alike = normalize("NFC", path).casefold()
        above = {normalize("NFC", "/".join(parts[:length])).casefold() for length in range(1, len(parts))}
        is_taken = alike in self._files or bool(above & self._files.keys())
        if is_taken or (not is_folder and alike in self._folders):
            raise RejectedInput(
                "archive-names-alike",
                f"Entry {self._count} of the archive has the name of another one, or one that differs in capitals or "
                "in how its accents are composed only: on some systems both are one file.",
                remedy="Unpack it yourself, find out which is meant, and give the folder.",
            )
        self._folders |= above | ({alike} if is_folder else set())
        if not is_folder:
            self._files[alike] = self._count


def _require_inside(name: str, number: int) -> None:
    if leads_outside(name):
        raise RejectedInput(
            "archive-path-outside",
            f"Entry {number} of the archive leads out of the folder that it is unpacked into.",
            remedy="Do not use this archive; tell its publisher.",
        )


def _require_plain(part: str, number: int) -> None:
    """Refuses a part of a path that some system reads as another name, or that does not show as what it is."""
    if any(category(sign) in _UNSEEN for sign in part):
        raise _bad_name("it holds signs that do not show, such as a line's end or a change of direction", number)
    if "\\" in part:
        raise _bad_name("it holds a backslash", number)
    if _OF_WINDOWS.fullmatch(part) or part != part.rstrip(". ") or ":" in part:
        raise _bad_name("it is none that every system can have", number)
    if len(part.encode(errors="surrogateescape")) > MOST_NAME_BYTES:
        raise _bad_name(f"it has more than {MOST_NAME_BYTES} bytes", number)


def _bad_name(why: str, number: int) -> RejectedInput:
    return RejectedInput(
        "archive-name",
        f"The name of entry {number} of the archive was refused: {why}.",
        remedy="Unpack it yourself, give that file another name, and give the folder.",
    )
