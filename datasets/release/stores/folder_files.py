"""A release's files in a folder of this machine."""

import stat
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
        place = self._folder / path
        try:
            with named_system_errors():
                if not stat.S_ISREG(place.lstat().st_mode):  # a pipe would be waited for
                    raise FileNotFoundError
                with place.open("rb") as stream:
                    while portion := stream.read(PORTION_BYTES):
                        yield portion
        except NotADirectoryError as error:
            raise FileNotFoundError from error
