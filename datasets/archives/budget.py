"""What unpacking an archive may cost, and the refusals of all formats."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import RejectedInput

KEPT_FREE_BYTES = 1 << 30
"""Room that is left on the disk: the database and the cases are to be written, too."""


@dataclass(frozen=True)
class ArchiveBudget:
    """Limits on unpacking, each far above what published datasets of images need.

    Args:
        entries: Files and folders. 500 000: 51 patients of four series, as DICOM, are 50 000.
        entry_bytes: Size of one file. 16 GiB: a volume of 512 x 512 x 2048 voxels as float32 has 2.
        ratio: Inflated to compressed bytes of one file. 200: scanner images reach 2 to 10.
        ratio_free_bytes: Below this any ratio is allowed, since empty masks compress 800-fold. 128 MiB.
        header_bytes: Of a tar entry's long names, and of a ZIP's list of all entries. 128 MiB.
    """

    entries: int = 500_000
    entry_bytes: int = 16 << 30
    ratio: int = 200
    ratio_free_bytes: int = 128 << 20
    header_bytes: int = 128 << 20


DEFAULT_ARCHIVE_BUDGET = ArchiveBudget()


class Room:
    """The room on the disk that an archive may fill.

    Args:
        folder: Where it is unpacked.
        budget: The limits on one entry.
    """

    def __init__(self, folder: Path, budget: ArchiveBudget) -> None:
        self._free = shutil.disk_usage(folder).free - KEPT_FREE_BYTES
        self._budget = budget
        self._entries = 0

    def take(self, size: int, *, compressed: int | None = None) -> None:
        """Takes room for one entry before it is written.

        Args:
            size: What it declares, in bytes; no more of it is ever written.
            compressed: Its compressed bytes; None where the format does not tell them.

        Raises:
            RejectedInput: ``archive-entries``, ``archive-entry-too-large``, ``archive-ratio`` or ``archive-too-large``.
        """
        self._entries += 1
        require_entries(self._entries, self._budget)
        if not 0 <= size <= self._budget.entry_bytes:
            message = f"A file in the archive declares more than {self._budget.entry_bytes >> 30} GiB."
            raise _refusal("archive-entry-too-large", message)
        is_free = compressed is None or size <= self._budget.ratio_free_bytes
        if not is_free and size > self._budget.ratio * max(compressed or 0, 1):
            message = f"A file in the archive grows more than {self._budget.ratio}-fold when it is unpacked."
            raise _refusal("archive-ratio", message)
        self._free -= size
        if self._free < 0:
            message = "What is in the archive does not fit onto the disk of the data folder."
            raise RejectedInput(
                "archive-too-large", message, remedy="Make room there, or unpack it elsewhere and give that folder."
            )


def require_entries(count: int, budget: ArchiveBudget) -> None:
    """Refuses too many entries.

    Raises:
        RejectedInput: ``archive-entries``.
    """
    if count > budget.entries:
        message = f"Expected at most {budget.entries} files in the archive, got more."
        raise _refusal("archive-entries", message)


def damaged(what: str) -> RejectedInput:
    """The refusal of an archive that is not whole (``archive-damaged``)."""
    return RejectedInput(
        "archive-damaged",
        f"The archive is damaged: {what}.",
        remedy="Download it again, and compare its digest with the publisher's.",
    )


def _refusal(code: str, message: str) -> RejectedInput:
    remedy = "Make sure where it is from; if it is right, unpack it yourself and give the folder."
    return RejectedInput(code, message, remedy=remedy)
