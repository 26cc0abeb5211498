"""A release's files in a folder of this machine."""

from collections.abc import Iterator
from pathlib import Path

from datasets.release.stores.refusals import named_system_errors
from datasets.release.stores.stored_files import PORTION_BYTES


class FolderFiles:
    """The files of the release in a folder; they are only read.

    Args:
        folder: The release's.
    """

    most_at_once = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> Iterator[bytes]:
        """The file's bytes, in portions.

        Raises:
            FileNotFoundError: It is not there.
            MaskloopError: It cannot be read.
        """
        with named_system_errors(), (self._folder / path).open("rb") as stream:
            while portion := stream.read(PORTION_BYTES):
                yield portion
