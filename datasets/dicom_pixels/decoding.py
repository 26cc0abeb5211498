"""Decodes compressed pictures in a child process: a hostile picture crashes the child, and fails alone.

Decoders of JPEG, JPEG-LS and JPEG 2000 are native code with a history of faults. They run in
`datasets.dicom_pixels.decoding_worker`, with limits on memory and time and without our environment. One child serves a
whole series; it is started when first needed, ends by itself after a minute without requests, and is replaced when it
crashes or takes too long.
"""

import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from datasets.dicom.codestream import KINDS, recognise
from datasets.errors import RejectedInput
from datasets.gate import DEFAULT_BUDGET, Budget, require_affordable

WORKER = Path(__file__).with_name("decoding_worker.py")
"""The script that the child runs."""

START_SECONDS = 30.0
"""For the child's imports, on top of what its first picture may take."""

_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG")
_PICTURES_OF_MEMORY = 8
_FREE_PICTURE_BYTES = 16 << 20
"""Below this size, 2048 x 4096 pixels of 16 bits, one picture may be compressed at any ratio."""

_PIPE_BYTES = 1 << 20
_LONGEST_REASON = 64
_REMEDY = "Have the archive send the series uncompressed (Explicit VR Little Endian)."


@dataclass(frozen=True)
class PixelForm:
    """How one compressed grey picture is stored.

    Args:
        transfer_syntax: DICOM's UID of the compression.
        rows: Of the picture.
        columns: Of the picture.
        bits_allocated: 8, 16 or 32 bits a pixel.
        bits_stored: How many of them are used.
        is_signed: Whether pixels may be negative.
        photometric: ``MONOCHROME1`` or ``MONOCHROME2``.
    """

    transfer_syntax: str
    rows: int
    columns: int
    bits_allocated: int = 16
    bits_stored: int = 16
    is_signed: bool = False
    photometric: str = "MONOCHROME2"

    @property
    def stored_type(self) -> "np.dtype[np.integer]":
        """Type of a decoded pixel."""
        return np.dtype(f"<{'i' if self.is_signed else 'u'}{self.bits_allocated // 8}")

    @property
    def decoded_bytes(self) -> int:
        """Size of the decoded picture in bytes."""
        return self.rows * self.columns * self.bits_allocated // 8


class _Ended(Exception):
    """The child went away without an answer."""


def decode_picture(compressed: bytes, form: PixelForm, *, budget: Budget = DEFAULT_BUDGET) -> NDArray[np.integer]:
    """Decodes one compressed picture in the child process.

    Args:
        compressed: One frame's code stream.
        form: How the header says it is stored.
        budget: Memory and time that it may take.

    Returns:
        (rows, columns), as stored: no rescaling.

    Raises:
        RejectedInput: ``dicom-transfer-syntax``, ``dicom-pixels-differ`` (its own size is another),
            ``declared-too-large``, ``inflation-ratio``, ``dicom-pixels-unreadable``, ``decoder-memory``,
            ``decoder-crashed`` or ``decoder-timeout``.
    """
    _require_possible(compressed, form, budget)
    with _lock:
        try:
            status, content = _ask(compressed, form, budget)
        except _Ended as error:
            raise _refusal("decoder-crashed", "The decoder crashed over a compressed picture.") from error
        except TimeoutError as error:
            message = f"A compressed picture was not decoded within {budget.decoder_seconds:g} s."
            raise _refusal("decoder-timeout", message) from error
    if status == b"P":
        return np.frombuffer(content, form.stored_type).reshape(form.rows, form.columns)
    if content == b"MemoryError":
        raise _refusal("decoder-memory", "A compressed picture needs more memory to decode than it may take.")
    raise _refusal("dicom-pixels-unreadable", f"A compressed picture cannot be decoded ({_name(content)}).")


def child_id() -> int | None:
    """Number of the child process; None where there is none."""
    child = _child
    return None if child is None else child.process.pid


def end_decoding() -> None:
    """Ends the child process, if there is one; the next picture starts another."""
    with _lock:
        _drop()


def _require_possible(compressed: bytes, form: PixelForm, budget: Budget) -> None:
    if form.transfer_syntax not in KINDS or form.bits_allocated not in (8, 16, 32):
        raise _refusal("dicom-transfer-syntax", "The pixels are not of 8, 16 or 32 bits in a known compression.")
    strict = replace(budget, ratio_free_bytes=min(budget.ratio_free_bytes, _FREE_PICTURE_BYTES))
    require_affordable(form.decoded_bytes, compressed_bytes=len(compressed), budget=strict)
    picture = recognise(compressed[:4096])
    if picture and picture.size not in (None, (form.columns, form.rows)):
        message = f"The compressed bytes hold a picture of another size than {form.columns} x {form.rows} pixels."
        raise _refusal("dicom-pixels-differ", message)


def _ask(compressed: bytes, form: PixelForm, budget: Budget) -> tuple[bytes, bytes]:
    """One request and its answer. A child that ended for want of work is replaced, one that fails is dropped."""
    request = _request(compressed, form, budget)
    try:
        return _running().answer(request, form.decoded_bytes, budget.decoder_seconds)
    except _Ended:
        if _drop(patience=1.0) != 0:
            raise
        try:
            return _running().answer(request, form.decoded_bytes, budget.decoder_seconds)
        except _Ended:
            _drop()
            raise
    except BaseException:
        _drop()
        raise


def _request(compressed: bytes, form: PixelForm, budget: Budget) -> bytes:
    head = {
        "syntax": form.transfer_syntax,
        "rows": form.rows,
        "columns": form.columns,
        "bits_allocated": form.bits_allocated,
        "bits_stored": form.bits_stored,
        "signed": int(form.is_signed),
        "photometric": form.photometric,
        "bytes": len(compressed),
        "memory": budget.decoder_bytes + _PICTURES_OF_MEMORY * form.decoded_bytes + 2 * len(compressed),
        "seconds": budget.decoder_seconds,
    }
    content = json.dumps(head).encode()
    return struct.pack(">L", len(content)) + content + compressed


class _Child:
    """The child process and its two pipes, read and written with a time limit."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        self.process = subprocess.Popen(  # noqa: S603  # our own script, by our own interpreter
            [sys.executable, "-I", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd="/",
            bufsize=0,
        )
        self._pipes = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)
        self._to, self._from = (pipe.fileno() for pipe in self._pipes)
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._grace = START_SECONDS

    def answer(self, request: bytes, decoded_bytes: int, seconds: float) -> tuple[bytes, bytes]:
        """The child's answer: status and content.

        Raises:
            _Ended: The child went away, or its answer breaks the protocol.
            TimeoutError: It took too long.
        """
        deadline = time.monotonic() + seconds + self._grace
        self._send(request, deadline)
        status, length = struct.unpack(">cQ", self._receive(9, deadline))
        if (status, length) != (b"P", decoded_bytes) and not (status == b"R" and length <= _LONGEST_REASON):
            raise _Ended
        content = self._receive(length, deadline)
        self._grace = 0.0  # only the first answer waits for the child's imports
        return status, content

    def end(self, patience: float) -> int:
        """Ends the child, killing it if it has not ended by itself after `patience` seconds; its exit status."""
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()
        return self.process.wait()

    def _send(self, content: bytes, deadline: float) -> None:
        left = memoryview(content)
        while left:
            self._wait([], [self._to], deadline)
            try:
                left = left[os.write(self._to, left[:_PIPE_BYTES]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise _Ended from None

    def _receive(self, count: int, deadline: float) -> bytes:
        pieces = []
        while count:
            self._wait([self._from], [], deadline)
            try:
                piece = os.read(self._from, min(count, _PIPE_BYTES))
            except BlockingIOError:
                continue
            if not piece:
                raise _Ended
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def _wait(self, reading: list[int], writing: list[int], deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not any(select.select(reading, writing, [], left)):
            raise TimeoutError


_lock = threading.Lock()
_child: _Child | None = None


def _running() -> _Child:
    global _child
    if _child is None:
        _child = _Child()
    return _child


def _drop(patience: float = 0.0) -> int | None:
    """Ends the child; its exit status, None where there was none."""
    global _child
    ended = None if _child is None else _child.end(patience)
    _child = None
    return ended


def _forget_after_fork() -> None:
    """A forked process has no part in its parent's child: it starts its own."""
    global _child, _lock
    _child, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)


def _name(content: bytes) -> str:
    """The name of an exception's type, if it is one: it comes from a process that may have been taken over."""
    name = content.decode("ascii", errors="replace")
    return name if name.isidentifier() and name.isascii() else "unknown"


def _refusal(code: str, message: str) -> RejectedInput:
    return RejectedInput(code, message, remedy=_REMEDY)
