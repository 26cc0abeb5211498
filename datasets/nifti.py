"""NIfTI files in and out; written so that the same volume gives the same bytes."""

import gzip
import io
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from datasets.errors import GeometryError, RejectedInput
from datasets.files import write_bytes
from datasets.mask import DEFAULT_LABELS, Mask
from datasets.volume import Affine, Grid, Volume

NIFTI_SUFFIXES = (".nii", ".nii.gz")

_GZIP_LEVEL = 6


def is_nifti(path: Path) -> bool:
    """Whether the file's name says NIfTI."""
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def read_volume(path: Path) -> Volume:
    """Reads a 3D NIfTI image as float32 with its affine.

    Raises:
        RejectedInput: Not NIfTI, damaged, or not three-dimensional.
        GeometryError: The header's geometry is not a grid.
    """
    try:
        image = nib.Nifti1Image.from_filename(path)
        data = np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, EOFError, ValueError, MemoryError, ImageFileError, HeaderDataError) as error:
        raise RejectedInput(
            "nifti-unreadable",
            f"Expected a whole NIfTI file, got one that cannot be read ({type(error).__name__}).",
            remedy="Export or copy the file again.",
        ) from error
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise RejectedInput(
            "nifti-not-3d",
            f"Expected one 3D volume, got {data.ndim} dimensions of {data.shape}.",
            remedy="Split the series into single volumes.",
        )
    return Volume(data, Grid((data.shape[0], data.shape[1], data.shape[2]), np.array(image.affine)))


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
    write_bytes(path, encode(np.asarray(volume.data), volume.grid.affine))


def write_mask(path: Path, mask: Mask) -> None:
    """Writes a mask as uint8 .nii.gz, whole or not at all; the same mask gives the same bytes."""
    write_bytes(path, encode(mask.data, mask.grid.affine))


def encode(data: NDArray[np.generic], affine: Affine) -> bytes:
    """The bytes of a .nii.gz: affine in both sform and qform, millimetres, no time stamp, no free text.

    Raises:
        GeometryError: The affine shears, which the qform cannot say.
    """
    if not Grid((data.shape[0], data.shape[1], data.shape[2]), affine).is_orthogonal:
        raise GeometryError(
            "grid-sheared",
            "Expected axes at right angles, got a sheared grid.",
            remedy="Resample the volume onto a grid without shear (gantry tilt corrected) first.",
        )
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0, filename="") as stream:
        stream.write(image.to_bytes())
    return buffer.getvalue()
