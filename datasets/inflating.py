"""The bytes inside a deflated stream, in pieces of bounded size, with gzip's checksums verified.

Only Python's own library is needed here: this is part of the script that goes into every release (`datasets.release`).
"""

import zlib
from typing import Any, Protocol

from datasets.errors import RejectedInput

_PIECE_BYTES = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"
_OF_CHECKSUMS = ("checksum", "data check", "length check")
"""In the words of isal and zlib."""


class Bytes(Protocol):
    """Where a file's own bytes come from, inflated where they are compressed."""

    def read(self, count: int, /) -> bytes:
        """The next bytes; fewer than `count` only at the end."""
        ...


class Inflating:
    """The bytes inside a deflated stream; whoever has limits for them says so in `require_bounded`.

    Args:
        stream: At the first compressed byte.
        is_gzip: gzip members (RFC 1952), one behind the other; otherwise bare deflate (RFC 1951).
    """

    def __init__(self, stream: Bytes, *, is_gzip: bool) -> None:
        self._stream = stream
        self._is_gzip = is_gzip
        self._waiting = b""
        self._engine = self._fresh_engine()
        self.position = 0

    def read(self, count: int) -> bytes:
        """The next `count` bytes; fewer only at the end.

        Raises:
            RejectedInput: ``compressed-crc``, ``compressed-damaged``, ``compressed-truncated``,
                ``compressed-trailing``, or what `require_bounded` refuses.
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

    def engine(self, wbits: int) -> Any:
        """What inflates one stream, as `zlib.decompressobj` gives it."""
        return zlib.decompressobj(wbits=wbits)

    def require_bounded(self) -> None:
        """Called after each piece, when `position` has grown; may refuse to go on."""

    def _fresh_engine(self) -> Any:
        return self.engine(16 + zlib.MAX_WBITS if self._is_gzip else -zlib.MAX_WBITS)

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
                self.require_bounded()
                return piece
            if not compressed and not self._engine.eof:
                raise damaged("compressed-truncated", "it ends before its compressed stream does")
        return b""

    def _inflate(self, compressed: bytes, count: int) -> bytes:
        try:
            return bytes(self._engine.decompress(compressed, count))
        except Exception as error:  # isal's own error, or zlib's, or any other that a broken stream causes
            if any(words in str(error).lower() for words in _OF_CHECKSUMS):
                raise damaged("compressed-crc", "its checksum says that bytes have changed") from None
            raise damaged("compressed-damaged", "its compressed stream is broken") from None

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
            raise damaged("compressed-trailing", "other bytes follow its compressed stream")
        return False


def damaged(code: str, fault: str) -> RejectedInput:
    """The refusal of a compressed stream."""
    return RejectedInput(code, f"The compressed file is damaged: {fault}.", remedy="Export or copy the file again.")
