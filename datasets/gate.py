"""The gate: limits on the memory, size and time that reading a file may cost, checked before its header is trusted.

A header declares how large its data are, and may lie. So nothing is allocated because a header asks for it: the
declared size is compared with a `Budget` and with the bytes that are there, compressed bytes come out in bounded pieces
(`Inflated`), and a file that changes while it is read is refused (`opened`).
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from datasets.errors import ProgramFault, RejectedInput
from datasets.finding import Finding, Level
from datasets.inflating import Inflating

_PIECE_BYTES = 1 << 16
_COPY_AGAIN = "Export or copy the file again."
_RAISE_BUDGET = "Check that the file is what it should be; if it is, read it with a larger budget."


@dataclass(frozen=True)
class Budget:
    """Limits on reading one file, each far above the needs of tumour MRI and CT and below what harms the machine.

    Args:
        file_bytes: Size of the file itself. 4 GiB: a whole-body CT in one multi-frame object has about 1 GiB.
        volume_bytes: Voxels of one volume, as stored or as float32, whichever is more. 2 GiB: 512 x 512 x 2048 voxels.
        ratio: Inflated to compressed bytes. 200: scanner images reach 2 to 10, and deflate itself ends at 1032.
        ratio_free_bytes: Below this many inflated bytes any ratio is allowed. 128 MiB: a mask of 512 x 512 x 512 voxels
            with a small tumour compresses 800-fold and is no bomb.
        header_bytes: From the start of a NIfTI file to its voxels. 16 MiB: extensions hold a few kilobytes.
        padding_bytes: Zeros behind the voxels. 1 MiB: some writers pad to a block.
        nesting: Sequences inside sequences. 100: real objects stay below 10, and Python's stack ends near 1000.
        items: Items of all sequences of one DICOM file. 100 000: an RTSTRUCT of 50 organs has about 10 000.
        elements: Data elements of one DICOM file at any depth. 500 000: 5000 frames of an enhanced MR have 300 000.
        decoder_bytes: Memory that a decoder may take beyond eight times the picture. 96 MiB: it needs less than 10.
        decoder_seconds: Time for one picture. 10 s: a large picture takes 0.2 s.

    Raises:
        ProgramFault: A limit is not positive.
    """

    file_bytes: int = 4 << 30
    volume_bytes: int = 2 << 30
    ratio: int = 200
    ratio_free_bytes: int = 128 << 20
    header_bytes: int = 16 << 20
    padding_bytes: int = 1 << 20
    nesting: int = 100
    items: int = 100_000
    elements: int = 500_000
    decoder_bytes: int = 96 << 20
    decoder_seconds: float = 10.0

    def __post_init__(self) -> None:
        for limit in fields(self):
            if not getattr(self, limit.name) > 0:
                raise ProgramFault(
                    "budget-limit", f"The limit {limit.name} is not positive.", remedy="Leave it out for the default."
                )


DEFAULT_BUDGET = Budget()


@contextmanager
def opened(path: Path, *, budget: Budget = DEFAULT_BUDGET) -> Iterator[BinaryIO]:
    """A regular file, open for reading, that is refused if it changes before the block ends.

    Any error in the block over a file that changed meanwhile is reported as the change. Links are followed (archives
    such as git-annex are made of them); pipes and devices are not read.

    Raises:
        RejectedInput: ``file-not-regular``, ``file-empty``, ``file-too-large`` or ``file-changed``.
        OSError: The file cannot be opened or read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would block without
    try:
        before = os.fstat(descriptor)
        _require_regular(before, budget)
        with open(descriptor, "rb", buffering=_PIECE_BYTES, closefd=False) as stream:  # no path any more
            try:
                yield stream
            except Exception as error:
                if _changed(before, os.fstat(descriptor)):
                    raise _file_changed() from error
                raise
        if _changed(before, os.fstat(descriptor)):
            raise _file_changed()
    finally:
        os.close(descriptor)


def size_of(stream: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(stream.fileno()).st_size


def refuse_errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, unless one is an error.

    Raises:
        RejectedInput: The first error, with its code.
    """
    kept = tuple(findings)
    for finding in kept:
        if finding.level is Level.ERROR:
            raise RejectedInput(finding.code, finding.message, remedy=finding.remedy)
    return kept


def require_affordable(declared_bytes: int, *, compressed_bytes: int | None, budget: Budget) -> None:
    """Refuses a volume that declares more than the budget, or more than its compressed file can honestly hold.

    Args:
        declared_bytes: What the header asks for.
        compressed_bytes: Size of the compressed file; None where it is not compressed.
        budget: The limits.

    Raises:
        RejectedInput: ``declared-too-large`` or ``inflation-ratio``.
    """
    if declared_bytes > budget.volume_bytes:
        raise RejectedInput(
            "declared-too-large",
            f"Expected at most {_size(budget.volume_bytes)} of voxels, got a header that asks for "
            f"{_size(declared_bytes)}.",
            remedy=_RAISE_BUDGET,
        )
    if compressed_bytes is not None:
        _require_ratio(declared_bytes, compressed_bytes, budget)


class FastInflating(Inflating):
    """`Inflating` by isal, which is two to three times as fast as zlib."""

    def engine(self, wbits: int) -> "isal_zlib.Decompress":
        """As of `Inflating`."""
        return isal_zlib.decompressobj(wbits=wbits)


class Inflated(FastInflating):
    """The bytes inside a deflated stream, within a budget.

    Args:
        stream: At the first compressed byte.
        is_gzip: As of `Inflating`.
        compressed_bytes: How many compressed bytes there are.
        budget: Limits on the inflated bytes; more are refused (``inflation-ratio``, ``inflated-too-large``).
    """

    def __init__(self, stream: BinaryIO, *, is_gzip: bool, compressed_bytes: int, budget: Budget) -> None:
        super().__init__(stream, is_gzip=is_gzip)
        self._compressed_bytes = compressed_bytes
        self._budget = budget

    def require_bounded(self) -> None:
        """Refuses more bytes than the budget has.

        Raises:
            RejectedInput: ``inflation-ratio`` or ``inflated-too-large``.
        """
        if self.position > self._budget.volume_bytes + self._budget.header_bytes + self._budget.padding_bytes:
            raise RejectedInput(
                "inflated-too-large",
                f"The compressed file holds more than {_size(self._budget.volume_bytes)}.",
                remedy=_RAISE_BUDGET,
            )
        _require_ratio(self.position, self._compressed_bytes, self._budget)


def _require_ratio(inflated: int, compressed: int, budget: Budget) -> None:
    if inflated > budget.ratio_free_bytes and inflated > budget.ratio * compressed:
        raise RejectedInput(
            "inflation-ratio",
            f"Expected compressed bytes that grow at most {budget.ratio}-fold, got "
            f"{inflated // max(compressed, 1)}-fold: {_size(compressed)} that hold {_size(inflated)} or more.",
            remedy=_RAISE_BUDGET,
        )


def _require_regular(state: os.stat_result, budget: Budget) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise RejectedInput(
            "file-not-regular",
            "The path is a folder, a pipe or a device, not a regular file.",
            remedy="Copy the files themselves into the folder.",
        )
    if state.st_size == 0:
        raise RejectedInput("file-empty", "The file is empty.", remedy=_COPY_AGAIN)
    if state.st_size > budget.file_bytes:
        raise RejectedInput(
            "file-too-large",
            f"Expected a file of at most {_size(budget.file_bytes)}, got one of {_size(state.st_size)}.",
            remedy=_RAISE_BUDGET,
        )


def _changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether the open file was written to. Another file moved into its place leaves this one whole, and is no harm."""
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def _file_changed() -> RejectedInput:
    return RejectedInput(
        "file-changed",
        "The file changed while it was read.",
        remedy="Wait until the copy into the folder has ended, then read it again.",
    )


def _size(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB" if count >= 1 << 20 else f"{count} bytes"
