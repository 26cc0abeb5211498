"""The child process that decodes compressed pictures: a loop over a pipe, in raw bytes, under limits of its own.

Run as a script in Python's isolated mode, so it imports nothing of ours and knows nothing of the parent's environment.

Request: four bytes, the length of a JSON object (big-endian); the object; as many compressed bytes as it says.
Answer: ``P`` and eight bytes, the length of the pixels, then the pixels (little-endian, row by row); or ``R`` and the
length of a reason, then the reason, the name of an exception's type.
"""

import json
import math
import os
import select
import struct
import sys
from typing import Any

IDLE_SECONDS = 60.0
"""Without a request the process ends after this long."""

_LARGEST_HEAD = 1 << 16


def serve() -> None:
    """Answers requests until the pipe is closed or none came for a while."""
    answers = os.dup(1)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)  # native libraries print to it
    os.dup2(silence, 2)
    decode = picture_decoder()
    while select.select([0], [], [], IDLE_SECONDS)[0] and (head := _read_head()):
        compressed = _exactly(head["bytes"])
        try:
            _limit(head["memory"], head["seconds"])
            pixels = decode(head, compressed)
            _write(answers, b"P" + struct.pack(">Q", len(pixels)), pixels)
        except Exception as error:
            reason = type(error).__name__.encode()
            _write(answers, b"R" + struct.pack(">Q", len(reason)), reason)


def picture_decoder() -> Any:
    """The decoding function; its imports come before any limit is set."""
    import warnings

    import numpy as np
    from pydicom import Dataset, config
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    warnings.simplefilter("ignore")
    config.settings.reading_validation_mode = config.IGNORE

    def decode(head: dict[str, Any], compressed: bytes) -> bytes:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = head["syntax"]
        dataset.Rows, dataset.Columns = head["rows"], head["columns"]
        dataset.BitsAllocated, dataset.BitsStored = head["bits_allocated"], head["bits_stored"]
        dataset.HighBit = head["bits_stored"] - 1
        dataset.PixelRepresentation = head["signed"]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, head["photometric"]
        dataset.PixelData = encapsulate([compressed])
        dataset["PixelData"].VR = "OB"
        pixels, _ = get_decoder(head["syntax"]).as_array(dataset, raw=True, index=0)
        stored = np.dtype(f"<{'i' if head['signed'] else 'u'}{head['bits_allocated'] // 8}")
        if pixels.shape != (head["rows"], head["columns"]) or pixels.dtype.itemsize != stored.itemsize:
            raise ValueError("another size")
        return pixels.astype(stored, copy=False).tobytes()

    return decode


def _limit(memory: int, seconds: float) -> None:
    """`memory` bytes more than are in use, `seconds` of processor time from now, and no files."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    spent = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(spent.ru_utime + spent.ru_stime + seconds) + 1, hard))
    try:
        with open("/proc/self/statm") as statm:  # noqa: PTH123  # this script imports as little as it can
            there = int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return  # no Linux, and no limit on address space that would hold
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (there + memory, hard))


def _read_head() -> dict[str, Any] | None:
    """The next request's description; None where the pipe was closed."""
    first = os.read(0, 4)
    if not first:
        return None
    length = struct.unpack(">L", first + _exactly(4 - len(first)))[0]
    if length > _LARGEST_HEAD:
        sys.exit(2)
    head = json.loads(_exactly(length))
    return head if isinstance(head, dict) else None


def _exactly(count: int) -> bytes:
    pieces = []
    while count:
        piece = os.read(0, min(count, 1 << 20))
        if not piece:
            sys.exit(2)
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _write(answers: int, *parts: bytes) -> None:
    for part in parts:
        left = memoryview(part)
        while left:
            left = left[os.write(answers, left) :]


if __name__ == "__main__":
    serve()
