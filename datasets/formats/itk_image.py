"""NRRD and MetaImage files, ITK's own formats: a volume or a label map with where it lies.

ITK counts millimetres to the patient's left and back (LPS+); NRRD says which way in its header. Here everything becomes
RAS+, as everywhere. Voxels are (i, j, k) with i running fastest in the file, as in NIfTI.

The voxels may lie in a file of their own: only in one of the same folder, by its plain name, and never behind a link.
"""

import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError, RejectedInput
from datasets.formats.itk_headers import ItkHeader, read_meta_header, read_nrrd_header
from datasets.gate import DEFAULT_BUDGET, Budget, Inflated, opened, require_affordable, size_of
from datasets.image.mask import DEFAULT_LABELS, Mask, as_mask
from datasets.image.volume import Grid, Volume
from datasets.labels.stored_values import MOST_VALUES, distinct

ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")

_NRRD_SUFFIXES = (".nrrd", ".nhdr")
_ZLIB_HEADER_BYTES = 2
_ZLIB_CHECKSUM_BYTES = 4
_FLOAT32_BYTES = 4
_LONGEST_NAME = 128
_PIECE_VOXELS = 1 << 18
_COPY_AGAIN = "Export or copy the file again."


def is_itk_image(path: Path) -> bool:
    """Whether the file's name says NRRD or MetaImage."""
    return path.name.lower().endswith(ITK_SUFFIXES)


def read_volume(path: Path, *, budget: Budget = DEFAULT_BUDGET) -> Volume:
    """Reads a 3D volume as float32; a header that lies about its size costs no memory.

    Args:
        path: A .nrrd, .nhdr, .mha or .mhd file; with the voxels in it or beside it.
        budget: What reading it may cost.

    Raises:
        RejectedInput: What `read_nrrd_header` and `read_meta_header` refuse, ``itk-data-elsewhere``,
            ``itk-data-absent``, ``itk-truncated``, ``itk-trailing``, or what the gate refuses.
        GeometryError: The header's geometry is not a grid, or its axes are not at right angles (``grid-sheared``).
    """
    with opened(path, budget=budget) as stream:
        header = _header(path, stream)
        with _data(path, header, stream, budget) as data:
            return Volume(_voxels(header, data, budget), header.grid)


def read_grid(path: Path, *, budget: Budget = DEFAULT_BUDGET) -> Grid:
    """Reads only where the voxels lie, from the header.

    Raises:
        RejectedInput: As `read_volume`, without the faults of the voxels.
        GeometryError: As `read_volume`.
    """
    with opened(path, budget=budget) as stream:
        return _header(path, stream).grid


def read_mask(path: Path, *, labels: Mapping[int, str] = DEFAULT_LABELS, budget: Budget = DEFAULT_BUDGET) -> Mask:
    """Reads a label map.

    Raises:
        RejectedInput: As `read_volume`, or values that are not whole numbers from 0 to 255.
        GeometryError: As `read_volume`.
    """
    return as_mask(read_volume(path, budget=budget), labels)


def read_values(path: Path, *, most: int = MOST_VALUES, budget: Budget = DEFAULT_BUDGET) -> tuple[float, ...] | None:
    """The values that the voxels take, in order; None where there are more than `most`.

    Raises:
        RejectedInput: As `read_volume`.
        GeometryError: As `read_volume`.
    """
    data = np.asarray(read_volume(path, budget=budget).data).ravel(order="K")
    return distinct((data[start : start + _PIECE_VOXELS] for start in range(0, data.size, _PIECE_VOXELS)), most)


def _header(path: Path, stream: BinaryIO) -> ItkHeader:
    is_nrrd = path.name.lower().endswith(_NRRD_SUFFIXES)
    header = read_nrrd_header(stream) if is_nrrd else read_meta_header(stream)
    if not header.grid.is_orthogonal:
        raise GeometryError(
            "grid-sheared",
            "The axes are not at right angles: the grid is sheared.",
            remedy="Resample the volume onto a grid without shear first.",
        )
    return header


@contextmanager
def _data(path: Path, header: ItkHeader, stream: BinaryIO, budget: Budget) -> Iterator[BinaryIO]:
    """The open file with the voxels, at the first of their bytes."""
    if not header.data_file:
        yield stream
        return
    beside = path.parent / header.data_file
    if not _is_plain_name(header.data_file) or beside.is_symlink():
        raise RejectedInput(
            "itk-data-elsewhere",
            "The header names a file of voxels outside its folder; it was not opened.",
            remedy="Put both files into one folder, and name the second one in the first without a path.",
        )
    if not beside.is_file():
        raise RejectedInput(
            "itk-data-absent",
            "The file with the voxels is not beside its header.",
            remedy="Copy both files of the volume.",
        )
    with opened(beside, budget=budget) as data:
        yield data


def _is_plain_name(name: str) -> bool:
    return Path(name).name == name and name != ".." and not set(name) & {"\\", "\0"} and len(name) < _LONGEST_NAME


def _voxels(header: ItkHeader, stream: BinaryIO, budget: Budget) -> NDArray[np.float32]:
    there = size_of(stream) - stream.tell()
    compressed = None if header.encoding == "raw" else there
    largest = max(header.data_bytes, math.prod(header.grid.shape) * _FLOAT32_BYTES)
    require_affordable(largest, compressed_bytes=compressed, budget=budget)
    if compressed is None and there < header.skip + header.data_bytes:
        raise _truncated()
    content = _raw(header, stream) if compressed is None else _inflated(header, stream, there, budget)
    stored = np.frombuffer(content, dtype=header.dtype).reshape(header.grid.shape, order="F")
    return np.asarray(stored, dtype=np.float32, order="C")


def _raw(header: ItkHeader, stream: BinaryIO) -> bytes:
    stream.seek(header.skip, 1)
    content = stream.read(header.data_bytes)
    if len(content) != header.data_bytes:
        raise _truncated()
    if stream.read(1):
        raise _trailing()
    return content


def _inflated(header: ItkHeader, stream: BinaryIO, there: int, budget: Budget) -> bytes:
    """The voxels' bytes out of a gzip or zlib stream, its checksum verified."""
    length = there if header.compressed_bytes is None else header.compressed_bytes
    if length > there:
        raise _truncated()
    is_gzip = header.encoding == "gzip"
    checksum = None if is_gzip else _zlib_checksum(stream, length)
    source = Inflated(stream, is_gzip=is_gzip, compressed_bytes=length, budget=budget)
    source.skip(header.skip)
    content = source.read(header.data_bytes)
    if len(content) != header.data_bytes:
        raise _truncated()
    if source.read(1):
        raise _trailing()
    if checksum is not None and not header.skip and zlib.adler32(content) != checksum:
        raise RejectedInput(
            "compressed-crc",
            "The compressed file is damaged: its checksum says that bytes have changed.",
            remedy=_COPY_AGAIN,
        )
    return content


def _zlib_checksum(stream: BinaryIO, length: int) -> int:
    """Adler-32 from the end of a zlib stream (RFC 1950); leaves the stream behind its two leading bytes."""
    start = stream.tell()
    first, second = stream.read(1) or b"\0", stream.read(1) or b"\0"
    if first[0] & 0x0F != 8 or (first[0] * 256 + second[0]) % 31 or second[0] & 0x20:
        raise RejectedInput("compressed-damaged", "The compressed voxels are no zlib stream.", remedy=_COPY_AGAIN)
    stream.seek(start + length - _ZLIB_CHECKSUM_BYTES)
    checksum = int.from_bytes(stream.read(_ZLIB_CHECKSUM_BYTES), "big")
    stream.seek(start + _ZLIB_HEADER_BYTES)
    return checksum


def _truncated() -> RejectedInput:
    return RejectedInput(
        "itk-truncated",
        "The file holds fewer voxels than its header says.",
        remedy=_COPY_AGAIN,
    )


def _trailing() -> RejectedInput:
    return RejectedInput(
        "itk-trailing",
        "The file holds more bytes behind its voxels than its header says.",
        remedy="Save the volume again from the tool that made it.",
    )
