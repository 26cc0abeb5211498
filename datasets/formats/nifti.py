"""NIfTI files in and out; written so that the same volume gives the same bytes."""

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError, RejectedInput
from datasets.files import write_bytes
from datasets.finding import Finding
from datasets.formats.nifti_header import NiftiHeader, check_extensions, check_header, parse_header
from datasets.gate import DEFAULT_BUDGET, Budget, Inflated, opened, refuse_errors, require_affordable, size_of
from datasets.image.mask import DEFAULT_LABELS, Mask, as_mask
from datasets.image.volume import Affine, Grid, Volume
from datasets.labels.stored_values import MOST_VALUES, distinct

NIFTI_SUFFIXES = (".nii", ".nii.gz")

VOXEL_OFFSET = 352
"""Where the voxels begin in a file that we write."""

_GZIP_LEVEL = 6
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""Deflate; no flags, no time, no name, no system (RFC 1952, section 2.3)."""

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE_VOXELS = 1 << 18


def is_nifti(path: Path) -> bool:
    """Whether the file's name says NIfTI."""
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def read_volume(path: Path, *, channel: int | None = None, budget: Budget = DEFAULT_BUDGET) -> Volume:
    """Reads a 3D NIfTI image as float32 with its affine; a header that lies about its size costs no memory.

    Args:
        path: A .nii or .nii.gz file.
        channel: Which volume of a 4D file, from 0; None for a file of one volume.
        budget: What reading it may cost.

    Raises:
        RejectedInput: What `check_header` and `opened` refuse, ``nifti-unreadable``, ``nifti-not-gzip``,
            ``declared-too-large``, ``nifti-truncated``, ``nifti-trailing``, or what `Inflated` refuses.
    """
    with _opened_image(path, budget, channel) as (header, source, _):
        _pass_over(header, source, header.channel or 0)
        voxels = _read_voxels(header, source)
        _pass_over(header, source, header.channels - 1 - (header.channel or 0))
        _refuse_more(source, budget)
    return Volume(voxels, _grid(header))


def read_grid(path: Path, *, channel: int | None = None, budget: Budget = DEFAULT_BUDGET) -> Grid:
    """Reads only where a 3D NIfTI image's voxels lie, from its header; voxels are not looked at.

    Raises:
        RejectedInput: As `read_volume`, without the faults of the voxels.
    """
    with _opened_image(path, budget, channel) as (header, _, _):
        return _grid(header)


def nifti_findings(path: Path, *, channel: int | None = None, budget: Budget = DEFAULT_BUDGET) -> tuple[Finding, ...]:
    """Warnings and information about the header of a NIfTI file that can be read.

    Raises:
        RejectedInput: As `read_grid`.
    """
    with _opened_image(path, budget, channel) as (_, _, findings):
        return findings


def read_values(
    path: Path, *, channel: int | None = None, most: int = MOST_VALUES, budget: Budget = DEFAULT_BUDGET
) -> tuple[float, ...] | None:
    """The values that the voxels take, in order; None where there are more than `most`, and then the rest is not read.

    Raises:
        RejectedInput: As `read_volume`, for the part that is read.
    """
    with _opened_image(path, budget, channel) as (header, source, _):
        _pass_over(header, source, header.channel or 0)
        found = distinct(_scaled_pieces(header, source), most)
        if found is not None:
            _pass_over(header, source, header.channels - 1 - (header.channel or 0))
            _refuse_more(source, budget)
    return found


@contextmanager
def _opened_image(
    path: Path, budget: Budget, channel: int | None = None
) -> Iterator[tuple[NiftiHeader, BinaryIO | Inflated, tuple[Finding, ...]]]:
    """A checked header, the source of its voxels, at the first of them, and the findings about it."""
    try:
        with opened(path, budget=budget) as stream:
            source = _source(path, stream, budget)
            header = parse_header(source, channel=channel)
            findings = refuse_errors(check_header(header))
            _require_room(header, size_of(stream), source, budget)
            between = source.read(header.voxel_offset - header.size)
            yield header, source, (*findings, *refuse_errors(check_extensions(header, between)))
    except OSError as error:
        raise RejectedInput(
            "nifti-unreadable",
            f"The NIfTI file cannot be read ({type(error).__name__}).",
            remedy="Export or copy the file again.",
        ) from error


def _source(path: Path, stream: BinaryIO, budget: Budget) -> BinaryIO | Inflated:
    """The file's own bytes, inflated where its name says that they are compressed."""
    is_gzip = stream.read(2) == _GZIP_MAGIC
    stream.seek(0)
    if is_gzip != path.name.lower().endswith(".gz"):
        expected, found = ("an uncompressed", "a gzip") if is_gzip else ("a gzip", "another")
        raise RejectedInput(
            "nifti-not-gzip",
            f"Expected {expected} file, as its name says, got {found} one.",
            remedy="Name compressed files .nii.gz and others .nii.",
        )
    if not is_gzip:
        return stream
    return Inflated(stream, is_gzip=True, compressed_bytes=size_of(stream), budget=budget)


def _require_room(header: NiftiHeader, file_bytes: int, source: BinaryIO | Inflated, budget: Budget) -> None:
    """The declared voxels must fit into the budget and, where nothing is compressed, into the file."""
    is_compressed = isinstance(source, Inflated)
    require_affordable(header.declared_bytes, compressed_bytes=file_bytes if is_compressed else None, budget=budget)
    if header.voxel_offset > (budget.header_bytes if is_compressed else min(budget.header_bytes, file_bytes)):
        raise RejectedInput(
            "nifti-offset",
            f"Expected voxels within the file's first {budget.header_bytes} bytes, got byte {header.voxel_offset}.",
            remedy="Export or copy the file again.",
        )
    if not is_compressed and file_bytes < header.voxel_offset + header.voxel_bytes:
        raise _truncated(header, file_bytes - header.voxel_offset)


def _pass_over(header: NiftiHeader, source: BinaryIO | Inflated, channels: int) -> None:
    """Skips the voxels of some channels, which must be there."""
    count = channels * header.voxel_bytes
    found = source.skip(count) if isinstance(source, Inflated) else min(count, _left(source))
    if found < count:
        raise _truncated(header, found)
    if not isinstance(source, Inflated):
        source.seek(count, 1)


def _left(stream: BinaryIO) -> int:
    return max(0, size_of(stream) - stream.tell())


def _truncated(header: NiftiHeader, found: int) -> RejectedInput:
    return RejectedInput(
        "nifti-truncated",
        f"Expected {header.voxel_bytes} bytes of voxels, got {found}.",
        remedy="Export or copy the file again.",
    )


def _read_voxels(header: NiftiHeader, source: BinaryIO | Inflated) -> NDArray[np.float32]:
    """The voxels (i, j, k), scaled; memory is only taken as bytes arrive."""
    voxels = np.empty(math.prod(header.sizes), dtype=np.float32)
    start = 0
    for piece in _scaled_pieces(header, source):
        with np.errstate(over="ignore", invalid="ignore"):
            voxels[start : start + piece.size] = piece
        start += piece.size
    return voxels.reshape(header.sizes, order="F")


def _scaled_pieces(header: NiftiHeader, source: BinaryIO | Inflated) -> Iterator[NDArray[np.generic]]:
    """The voxels one after the other, in pieces of bounded size, scaled."""
    stored, (slope, intercept) = header.stored_type, header.scaling
    count = math.prod(header.sizes)
    for start in range(0, count, _PIECE_VOXELS):
        wanted = min(_PIECE_VOXELS, count - start)
        content = source.read(wanted * stored.itemsize)
        if len(content) < wanted * stored.itemsize:
            raise _truncated(header, start * stored.itemsize + len(content))
        piece = np.frombuffer(content, stored)
        with np.errstate(over="ignore", invalid="ignore"):
            yield piece if (slope, intercept) == (1.0, 0.0) else piece.astype(np.float64) * slope + intercept


def _refuse_more(source: BinaryIO | Inflated, budget: Budget) -> None:
    """Reads to the end, because only there does gzip check its sum; a little padding may follow the voxels."""
    rest = source.read(budget.padding_bytes + 1)
    if len(rest) > budget.padding_bytes or rest.strip(b"\0"):
        raise RejectedInput(
            "nifti-trailing",
            "The file goes on behind its voxels.",
            remedy="Export or copy the file again; two files may have been joined.",
        )


def _grid(header: NiftiHeader) -> Grid:
    i, j, k = header.sizes
    return Grid((i, j, k), header.affine)


def read_mask(path: Path, *, labels: Mapping[int, str] = DEFAULT_LABELS, budget: Budget = DEFAULT_BUDGET) -> Mask:
    """Reads a NIfTI label map.

    Raises:
        RejectedInput: Unreadable, or with values that are not whole numbers from 0 to 255.
    """
    return as_mask(read_volume(path, budget=budget), labels)


def write_volume(path: Path, volume: Volume) -> None:
    """Writes a volume as .nii.gz, whole or not at all; the same volume gives the same bytes."""
    write_bytes(path, encode(np.asarray(volume.data), volume.grid.affine, is_working_copy=True))


def write_mask(path: Path, mask: Mask) -> None:
    """Writes a mask as uint8 .nii.gz, whole or not at all; the same mask gives the same bytes."""
    write_bytes(path, encode(mask.data, mask.grid.affine))


def encode(data: NDArray[np.generic], affine: Affine, *, is_working_copy: bool = False) -> bytes:
    """The bytes of a .nii.gz that an installation keeps; those of releases are made by `datasets.formats.gzip_file`.

    Args:
        data: Voxels (i, j, k), or (i, j, k, channel), of any NIfTI type.
        affine: (4, 4), voxel index to RAS+ millimetres.
        is_working_copy: Compress runs and frequent bytes only: a scanner's image takes a fifth of the time and is up to
            a third larger, a resampled one is as small. Otherwise as small as zlib makes it, for masks.

    Raises:
        GeometryError: The affine shears, which the qform cannot say.
    """
    return _gzipped(nifti_bytes(data, affine), zlib.Z_RLE if is_working_copy else zlib.Z_DEFAULT_STRATEGY)


def nifti_bytes(data: NDArray[np.generic], affine: Affine) -> bytes:
    """The bytes of a .nii: affine in both sform and qform, millimetres, no time stamp, no free text.

    Args:
        data: Voxels (i, j, k), or (i, j, k, channel), of any NIfTI type.
        affine: (4, 4), voxel index to RAS+ millimetres.

    Returns:
        A header of `VOXEL_OFFSET` bytes, and behind it the voxels as `data` holds them, i fastest.

    Raises:
        GeometryError: The affine shears, which the qform cannot say.
    """
    if not Grid((data.shape[0], data.shape[1], data.shape[2]), affine).is_orthogonal:
        raise GeometryError(
            "grid-sheared",
            "The axes are not at right angles: the grid is sheared.",
            remedy="Resample the volume onto a grid without shear (gantry tilt corrected) first.",
        )
    # In the file's own precision, so that the qform of a volume that was read and is written again is the same.
    affine = np.asarray(affine, dtype=np.float32).astype(np.float64)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    return bytes(image.to_bytes())


def _gzipped(content: bytes, strategy: int) -> bytes:
    """A gzip file without name and time, deflated by zlib: what was kept once can be made again with its digest."""
    stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    end = struct.pack("<2L", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return b"".join((_GZIP_HEADER, stream.compress(content), stream.flush(), end))
