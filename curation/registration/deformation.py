"""A deformation: the displacement of each point of the fixed image's body before the affine motion.

Searched on request only: a tumour deforms less between two sequences of one visit than a search may find by error.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.files import write_bytes
from datasets.image.volume import Grid, Points

DisplacementField = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Deformation:
    """Two displacement fields on one grid in the fixed image's world.

    Args:
        grid: Where the displacements are known; outside of it they are taken from its nearest edge voxel.
        forward: (i, j, k, 3) float32 RAS+ millimetres, added to a point of the fixed image.
        backward: (i, j, k, 3) float32 RAS+ millimetres, the inverse.
    """

    grid: Grid
    forward: DisplacementField
    backward: DisplacementField

    def apply(self, points: Points) -> Points:
        """Points (n, 3) of the fixed image after the forward displacement, millimetres."""
        return points + _sampled(self.forward, self.grid, points)

    def undo(self, points: Points) -> Points:
        """Points (n, 3) after the backward displacement, millimetres."""
        return points + _sampled(self.backward, self.grid, points)

    @property
    def largest_mm(self) -> float:
        """Length of the largest forward displacement in millimetres."""
        return float(np.linalg.norm(self.forward, axis=-1).max())

    @property
    def smallest_volume_change(self) -> float:
        """Smallest determinant of the forward map's Jacobian; the map folds where it is not positive."""
        inverse = np.linalg.inv(self.grid.affine[:3, :3])
        by_index = np.stack([np.stack(np.gradient(self.forward[..., axis]), axis=-1) for axis in range(3)], axis=-2)
        return float(np.linalg.det(np.eye(3) + by_index @ inverse).min())


def write_deformation(path: Path, deformation: Deformation) -> None:
    """Writes both fields, whole or not at all."""
    write_bytes(path, encode_deformation(deformation))


def encode_deformation(deformation: Deformation) -> bytes:
    """Both fields as one .nii.gz of vectors (i, j, k, 2, 3), forward then backward; the same gives the same bytes."""
    import gzip
    import io

    import nibabel as nib

    stacked = np.stack([deformation.forward, deformation.backward], axis=3).astype(np.float32)
    image = nib.Nifti1Image(stacked, np.asarray(deformation.grid.affine, dtype=np.float32).astype(np.float64))
    image.header.set_intent("vector")
    image.header.set_xyzt_units("mm")
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0, filename="") as stream:
        stream.write(image.to_bytes())
    return buffer.getvalue()


def read_deformation(path: Path) -> Deformation:
    """Reads the file of `write_deformation`.

    Raises:
        RejectedInput: It is missing, damaged or another file (``deformation-unreadable``).
    """
    import nibabel as nib

    try:
        image = nib.Nifti1Image.from_filename(path)
        fields = np.asarray(image.dataobj, dtype=np.float32)
        if fields.ndim != 5 or fields.shape[3:] != (2, 3) or not np.isfinite(fields).all():
            raise ValueError(fields.shape)
        grid = Grid((fields.shape[0], fields.shape[1], fields.shape[2]), np.array(image.affine))
    except Exception as error:  # a parser of files raises anything
        raise RejectedInput(
            "deformation-unreadable",
            f"The registration's displacement fields are missing or damaged ({type(error).__name__}).",
            remedy="Register the case again, or restore the data folder from its backup.",
        ) from None
    return Deformation(grid, np.ascontiguousarray(fields[..., 0, :]), np.ascontiguousarray(fields[..., 1, :]))


def _sampled(field: DisplacementField, grid: Grid, points: Points) -> Points:
    from scipy.ndimage import map_coordinates

    voxels = grid.to_voxel(points).T
    return np.stack(
        [map_coordinates(field[..., axis], voxels, order=1, mode="nearest") for axis in range(3)], axis=-1
    ).astype(np.float64)
