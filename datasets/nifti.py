"""NIfTI files in and out; written so that the same volume gives the same bytes."""

import gzip
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from datasets.errors import GeometryError, RejectedInput
from datasets.files import write_bytes
from datasets.mask import DEFAULT_LABELS, Mask
from datasets.volume import Affine, Grid, Volume

NIFTI_SUFFIXES = (".nii", ".nii.gz")

_GZIP_LEVEL = 6
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""Deflate; no flags, no time, no name, no system (RFC 1952, section 2.3)."""

_HEADER_BYTES = 352
_CHUNK_BYTES = 1 << 20
_PADDING_BYTES = 1 << 24
"""Most that may follow the voxels of a compressed file (some writers pad); more is taken for a decompression bomb."""

_DAMAGE = (
    *(OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error),
    *(ImageFileError, HeaderDataError, WrapStructError),
)


def is_nifti(path: Path) -> bool:
    """Whether the file's name says NIfTI."""
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def read_volume(path: Path) -> Volume:
    """Reads a 3D NIfTI image as float32 with its affine.

    Raises:
        RejectedInput: Not NIfTI, damaged, or not three-dimensional.
        GeometryError: The header's geometry is not a grid.
    """
    with _refusing_damage():
        data, affine = _whole_image(path)
    shape = _three_sizes(data.shape)
    return Volume(data.reshape(shape), Grid(shape, affine))


def read_grid(path: Path) -> Grid:
    """Reads only where a 3D NIfTI image's voxels lie, from its header.

    Raises:
        RejectedInput: Not NIfTI, or not three-dimensional; voxels are not looked at.
        GeometryError: The header's geometry is not a grid.
    """
    with _refusing_damage():
        image = nib.Nifti1Image.from_filename(path)
        shape, affine = image.shape, np.array(image.affine)
    return Grid(_three_sizes(shape), affine)


@contextmanager
def _refusing_damage() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise RejectedInput(
            "nifti-unreadable",
            f"Expected a whole NIfTI file, got one that cannot be read ({type(error).__name__}).",
            remedy="Export or copy the file again.",
        ) from error


def _whole_image(path: Path) -> tuple[NDArray[np.float32], Affine]:
    """Voxels and affine; a compressed file is read to its end, because only there does gzip check its CRC."""
    if not path.name.lower().endswith(".gz"):
        image = nib.Nifti1Image.from_filename(path)
        return _voxels(image), np.array(image.affine)
    with gzip.open(path, "rb") as stream:
        image = nib.Nifti1Image.from_stream(stream)
        data = _voxels(image)
        left = _PADDING_BYTES
        while chunk := stream.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise ValueError("bytes after the voxels")
    return data, np.array(image.affine)


def _voxels(image: nib.Nifti1Image) -> NDArray[np.float32]:
    if image.dataobj.offset < _HEADER_BYTES:  # nibabel takes an offset of 0 at its word and the header for voxels
        raise ValueError("voxels inside the header")
    return np.asarray(image.dataobj, dtype=np.float32)


def _three_sizes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    sizes = shape
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes = sizes[:-1]
    if len(sizes) != 3:
        raise RejectedInput(
            "nifti-not-3d",
            f"Expected one 3D volume, got {len(sizes)} dimensions of {tuple(sizes)}.",
            remedy="Split the series into single volumes.",
        )
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def read_mask(path: Path, *, labels: Mapping[int, str] = DEFAULT_LABELS) -> Mask:
    """Reads a NIfTI label map.

    Raises:
        RejectedInput: Unreadable, or with values that are not whole numbers from 0 to 255.
    """
    volume = read_volume(path)
    values = np.asarray(volume.data, dtype=np.float32)
    rounded = np.rint(values)
    whole = np.isfinite(values).all() and np.abs(values - rounded).max() <= 1e-3
    if not whole or rounded.min() < 0 or rounded.max() > 255:
        raise RejectedInput(
            "mask-values",
            "Expected whole numbers from 0 to 255 in a mask.",
            remedy="Save the mask as a label map, not as an image or a probability.",
        )
    return Mask(rounded.astype(np.uint8), volume.grid, labels)


def write_volume(path: Path, volume: Volume) -> None:
    """Writes a volume as .nii.gz, whole or not at all; the same volume gives the same bytes."""
    write_bytes(path, encode(np.asarray(volume.data), volume.grid.affine, is_working_copy=True))


def write_mask(path: Path, mask: Mask) -> None:
    """Writes a mask as uint8 .nii.gz, whole or not at all; the same mask gives the same bytes."""
    write_bytes(path, encode(mask.data, mask.grid.affine))


def encode(data: NDArray[np.generic], affine: Affine, *, is_working_copy: bool = False) -> bytes:
    """The bytes of a .nii.gz: affine in both sform and qform, millimetres, no time stamp, no free text.

    Args:
        data: Voxels (i, j, k) of any NIfTI type.
        affine: (4, 4), voxel index to RAS+ millimetres.
        is_working_copy: Compress runs and frequent bytes only: a scanner's image takes a fifth of the time and is up to
            a third larger, a resampled one is as small. Otherwise as small as zlib makes it, for masks and releases.

    Raises:
        GeometryError: The affine shears, which the qform cannot say.
    """
    if not Grid((data.shape[0], data.shape[1], data.shape[2]), affine).is_orthogonal:
        raise GeometryError(
            "grid-sheared",
            "Expected axes at right angles, got a sheared grid.",
            remedy="Resample the volume onto a grid without shear (gantry tilt corrected) first.",
        )
    # In the file's own precision, so that the qform of a volume that was read and is written again is the same.
    affine = np.asarray(affine, dtype=np.float32).astype(np.float64)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    return _gzipped(image.to_bytes(), zlib.Z_RLE if is_working_copy else zlib.Z_DEFAULT_STRATEGY)


def _gzipped(content: bytes, strategy: int) -> bytes:
    """A gzip file without name and time, deflated by zlib, whose output is the same on every processor."""
    stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    end = struct.pack("<2L", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return b"".join((_GZIP_HEADER, stream.compress(content), stream.flush(), end))
