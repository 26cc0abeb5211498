"""Checks of a mask that a person gives back as a file: nothing in it is believed before it was looked at."""

from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.files.uploadedfile import UploadedFile

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from datasets.errors import RejectedInput
from datasets.formats.nifti import read_mask
from datasets.gate import Budget
from datasets.image.lattice import mask_on
from datasets.image.mask import Mask

MOST_BYTES = 48 * 1024 * 1024
"""Of an uploaded file: a label map of a large tumour has less than 1 MiB."""

_BYTES_A_VOXEL = 8
"""The widest type of voxels, float64, in which some programs save label maps."""

_GZIP_MAGIC = b"\x1f\x8b"


def uploaded_mask(case: Case, upload: "UploadedFile[bytes]") -> Mask:
    """The mask in an uploaded NIfTI file, on the case's grid; its name is not looked at.

    A file whose axes run otherwise is turned, and one that holds a part of the grid is laid into it; nothing is
    resampled.

    Args:
        case: With pictures.
        upload: .nii or .nii.gz, as Slicer and ITK-SNAP save segmentations.

    Raises:
        RejectedInput: ``upload-too-large``, ``grid-mismatch``, or what `datasets.formats.nifti.read_volume` and
            `datasets.image.mask.as_mask` refuse.
    """
    if upload.size is None or upload.size > MOST_BYTES:
        raise RejectedInput(
            "upload-too-large",
            f"A mask has {MOST_BYTES >> 20} MB at most.",
            remedy="Save the segmentation as a compressed label map (.nii.gz).",
        )
    plane = picture_plane(case)
    i, j, k = plane.grid.shape
    most = max(i * j * k, 1) * _BYTES_A_VOXEL
    budget = Budget(file_bytes=MOST_BYTES, volume_bytes=most, ratio_free_bytes=most)
    with TemporaryDirectory(prefix="maskloop-upload-") as folder:
        path = Path(folder) / _name_of(upload)
        with path.open("wb") as stream:
            stream.writelines(upload.chunks())
        found = read_mask(path, budget=budget, labels=case.protocol.label_names)
    placed, _ = mask_on(found, plane.grid, what="The uploaded mask and the case")
    return placed


def _name_of(upload: "UploadedFile[bytes]") -> str:
    """A name of ours that says how the file is packed, as its first bytes do."""
    start = upload.read(len(_GZIP_MAGIC))
    upload.seek(0)
    return "mask.nii.gz" if start == _GZIP_MAGIC else "mask.nii"
