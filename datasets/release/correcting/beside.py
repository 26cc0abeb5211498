"""Names of the files beside a release's folder, and how they are written: whole or not at all, and only what is new."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from datasets.files import flush_to_disk, write_bytes
from datasets.part_folder import part_folder, place_part
from datasets.release.paths import ERRATA_ENDING, PROOF_ENDING, TOMBSTONE_ENDING


class Beside(Enum):
    """A file beside a release: what follows the folder's name."""

    ERRATA = ERRATA_ENDING
    TOMBSTONE = TOMBSTONE_ENDING
    PROOF = PROOF_ENDING


CHANGES = ".changes"
"""What follows the name in that of the folder with pictures of what a version changed; no release's name has it."""


def beside(folder: Path, what: Beside) -> Path:
    """Where a file beside a release lies.

    Args:
        folder: The release's folder.
        what: Which file.
    """
    return folder.with_name(folder.name + what.value)


def changes_beside(folder: Path) -> Path:
    """Where the pictures of what a version changed lie.

    Args:
        folder: The release's folder.
    """
    return folder.with_name(folder.name + CHANGES)


def put_beside(folder: Path, what: Beside, content: bytes | None) -> bool:
    """Makes a file beside a release what it should be; a crash leaves the old one or the new one.

    Args:
        folder: The release's folder.
        what: Which file.
        content: Its bytes; None where there should be none.

    Returns:
        Whether it was something else.
    """
    path = beside(folder, what)
    if (path.read_bytes() if path.is_file() else None) == content:
        return False
    if content is None:
        path.unlink()
        flush_to_disk(path.parent)
    else:
        write_bytes(path, content)
    return True


def put_changes(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the pictures of what a version changed, where they are not there yet; all of them or none.

    Args:
        folder: The release's folder.
        files: Their bytes by their paths.
    """
    place = changes_beside(folder)
    if place.exists():
        return
    with part_folder(folder.parent) as part:
        for name, content in files.items():
            write_bytes(part / name, content, is_one_of_many=True)
        try:
            place_part(part, place)
        except OSError:  # somebody else wrote the same at the same moment
            if not place.is_dir():
                raise


def remove_changes(folder: Path) -> None:
    """Removes the pictures of what a version changed, where somebody in them was withdrawn since."""
    place = changes_beside(folder)
    if not place.is_dir():
        return
    with part_folder(folder.parent) as part:
        place.rename(part / "gone")  # at once gone from its place, whatever happens then
