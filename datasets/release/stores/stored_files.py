"""What the place of a release must be able to do: give its files and, where it takes new ones, never write over any."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from datasets.release.stores.refusals import file_differs
from datasets.release.verification.lists import LONGEST_LIST_BYTES, Expected

PORTION_BYTES = 1 << 20
"""Of a file in memory at once, in each thread."""


class ReadableFiles(Protocol):
    """The files of one release at its place, by their paths in it."""

    most_at_once: int
    """How many of them may be read, or written, at once."""

    def read(self, path: str) -> Iterator[bytes]:
        """The file's bytes, in portions.

        Raises:
            FileNotFoundError: It is not there.
            MaskloopError: As `refusals` say.
        """
        ...


class WritableFiles(ReadableFiles, Protocol):
    """A place that takes new files."""

    def sizes(self) -> Mapping[str, int]:
        """The size of each file that is there.

        Raises:
            MaskloopError: As `refusals` say.
        """
        ...

    def create(self, path: str, source: Path, *, sha256: str, media_type: str) -> bool:
        """Writes a new file, in one step where the place can do that.

        Args:
            path: In the release.
            source: The file that is sent.
            sha256: Its digest; the place is told it where it compares digests.
            media_type: What browsers are told that it is.

        Returns:
            False where something is there already; then that is left as it is.

        Raises:
            MaskloopError: As `refusals` say.
        """
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Writes a file that changes, which no release's does.

        Raises:
            MaskloopError: As `refusals` say.
        """
        ...


def read_list(files: ReadableFiles, path: str) -> bytes | None:
    """All bytes of one of a release's lists; None where it is not there or longer than any list.

    Raises:
        MaskloopError: As `refusals` say.
    """
    content = bytearray()
    try:
        for portion in files.read(path):
            content += portion
            if len(content) > LONGEST_LIST_BYTES:
                return None
    except FileNotFoundError:
        return None
    return bytes(content)


def read_expected(files: ReadableFiles, path: str, expected: Expected) -> Iterator[bytes]:
    """A file's bytes in portions, compared with what they should be.

    Raises:
        RejectedInput: It is not there, or the place gives other bytes (``store-file-differs``); all or a part of them
            were yielded.
        MaskloopError: As `refusals` say.
    """
    digest, count = sha256(), 0
    try:
        for portion in files.read(path):
            digest.update(portion)
            count += len(portion)
            if expected.bytes is not None and count > expected.bytes:
                raise file_differs(path)
            yield portion
    except FileNotFoundError as error:
        raise file_differs(path) from error
    if digest.hexdigest() != expected.sha256:
        raise file_differs(path)
