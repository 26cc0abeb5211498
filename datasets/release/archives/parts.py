"""Which files go into which archive, so that none is larger than wanted: each opens by itself, nothing is joined."""

from collections.abc import Sequence

from datasets.archives.zip_writing import MOST_ENDING_BYTES, ArchivedFile
from datasets.errors import RejectedInput

Part = tuple[ArchivedFile, ...]
"""The files of one archive."""


def split(files: Sequence[ArchivedFile], most_bytes: int | None) -> tuple[Part, ...]:
    """Files in archives of at most so many bytes, in their order; the same files give the same archives.

    Args:
        files: At least one.
        most_bytes: Of an archive; None for all in one.

    Raises:
        RejectedInput: A file alone is larger (``part-size``).
    """
    if most_bytes is None:
        return (tuple(files),)
    parts: list[list[ArchivedFile]] = []
    free = 0
    for file in files:
        if file.most_bytes > free:
            parts.append([])
            free = most_bytes - MOST_ENDING_BYTES
        if file.most_bytes > free:
            raise _too_small(files, most_bytes)
        parts[-1].append(file)
        free -= file.most_bytes
    return tuple(map(tuple, parts))


def archive_names(title: str, count: int) -> tuple[str, ...]:
    """What the archives are called: by their number where there are several."""
    if count == 1:
        return (f"{title}.zip",)
    digits = max(2, len(str(count)))
    return tuple(f"{title}-part-{number:0{digits}}-of-{count:0{digits}}.zip" for number in range(1, count + 1))


def _too_small(files: Sequence[ArchivedFile], most_bytes: int) -> RejectedInput:
    least = max(file.most_bytes for file in files) + MOST_ENDING_BYTES
    return RejectedInput(
        "part-size",
        f"A file of the release does not fit into a part of {most_bytes} bytes.",
        remedy=f"Allow at least {least} bytes a part: each part opens by itself, so no file is cut.",
    )
