"""The gate: limits on the memory, size and time that reading a file may cost, checked before its header is trusted.

A header declares how large its data are, and may lie. So nothing is allocated because a header asks for it: the
declared size is compared with a `Budget` and with the bytes that are there, compressed bytes come out in bounded pieces
(`Inflated`), and a file that changes while it is read is refused (`opened`).
"""

import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from datasets.errors import ProgramFault, RejectedInput
from datasets.finding import Finding, Level

_PIECE_BYTES = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
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


class Inflated:
    """The bytes inside a deflated stream, in pieces of bounded size; gzip's checksums are verified.

    Args:
        stream: At the first compressed byte.
        is_gzip: gzip members (RFC 1952), one behind the other; otherwise bare deflate (RFC 1951).
        compressed_bytes: How many compressed bytes there are.
        budget: Limits on the inflated bytes.
    """

    def __init__(self, stream: BinaryIO, *, is_gzip: bool, compressed_bytes: int, budget: Budget) -> None:
        self._stream = stream
        self._is_gzip = is_gzip
        self._compressed_bytes = compressed_bytes
        self._budget = budget
        self._waiting = b""
        self._engine = self._fresh_engine()
        self.position = 0

    def read(self, count: int) -> bytes:
        """The next `count` bytes; fewer only at the end.

        Raises:
            RejectedInput: ``compressed-crc``, ``compressed-damaged``, ``compressed-truncated``,
                ``compressed-trailing``, ``inflation-ratio`` or ``inflated-too-large``.
        """
        pieces = []
        while count > 0 and (piece := self._next_piece(count)):
            pieces.append(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def skip(self, count: int) -> int:
        """Passes over `count` bytes and says how many there were. Raises what `read` raises."""
        skipped = 0
        while skipped < count and (piece := self.read(min(_PIECE_BYTES * 4, count - skipped))):
            skipped += len(piece)
        return skipped

    def _fresh_engine(self) -> "isal_zlib.Decompress":
        return isal_zlib.decompressobj(wbits=16 + zlib.MAX_WBITS if self._is_gzip else -zlib.MAX_WBITS)

    def _next_piece(self, count: int) -> bytes:
        """At most `count` bytes; empty only at the end of the stream."""
        while not self._engine.eof or self._begins_member():
            compressed = self._waiting or self._stream.read(_PIECE_BYTES)
            piece = self._inflate(compressed, count)
            self._waiting = self._engine.unconsumed_tail
            if self._engine.eof:
                self._waiting = self._engine.unused_data
            if piece:
                self.position += len(piece)
                self._require_bounded()
                return piece
            if not compressed and not self._engine.eof:
                raise _damaged("compressed-truncated", "it ends before its compressed stream does")
        return b""

    def _inflate(self, compressed: bytes, count: int) -> bytes:
        try:
            return bytes(self._engine.decompress(compressed, count))
        except Exception as error:  # isal's own error, or zlib's, or any other that a broken stream causes
            if "checksum" in str(error).lower():
                raise _damaged("compressed-crc", "its checksum says that bytes have changed") from None
            raise _damaged("compressed-damaged", "its compressed stream is broken") from None

    def _begins_member(self) -> bool:
        """Whether another gzip member follows; zeros behind the last are padding, anything else is not."""
        ahead = self._waiting or self._stream.read(_PIECE_BYTES)
        while self._is_gzip and ahead and not ahead.strip(b"\0"):
            ahead = self._stream.read(_PIECE_BYTES)
        if self._is_gzip and len(ahead) == 1:
            ahead += self._stream.read(_PIECE_BYTES)
        if self._is_gzip and ahead.startswith(_GZIP_MAGIC):
            self._waiting, self._engine = ahead, self._fresh_engine()
            return True
        if self._is_gzip and ahead:
            raise _damaged("compressed-trailing", "other bytes follow its compressed stream")
        return False

    def _require_bounded(self) -> None:
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


def _damaged(code: str, fault: str) -> RejectedInput:
    return RejectedInput(code, f"The compressed file is damaged: {fault}.", remedy=_COPY_AGAIN)


def _size(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB" if count >= 1 << 20 else f"{count} bytes"
