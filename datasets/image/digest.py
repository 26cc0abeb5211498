"""SHA-256 digests of volumes and masks, by which records name their sources."""

import hashlib
from typing import Any

import numpy as np

from datasets.files import canonical_json
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume


def grid_as_dict(grid: Grid) -> dict[str, Any]:
    """Shape and affine as plain values for JSON; float64 survives the way there and back exactly."""
    return {"shape": list(grid.shape), "affine": grid.affine.tolist()}


def grid_from_dict(values: dict[str, Any]) -> Grid:
    """The grid that `grid_as_dict` described.

    Raises:
        GeometryError: The values are not a grid.
    """
    i, j, k = values["shape"]
    return Grid((i, j, k), np.array(values["affine"], dtype=np.float64))


def content_sha256(content: Volume | Mask) -> str:
    """SHA-256 over the grid, the element type and the voxels (little-endian, i slowest) of a volume or a mask.

    Independent of any file format and compression, so that a float32 volume or a mask keeps its digest when it is
    stored and read again: the affine counts in float32, the precision in which NIfTI keeps it.
    """
    data = np.ascontiguousarray(content.data)
    data = data.astype(data.dtype.newbyteorder("<"), copy=False)
    affine = content.grid.affine.astype(np.float32) + np.float32(0)  # no negative zeros
    header = {"shape": list(content.grid.shape), "affine": affine.tolist(), "dtype": data.dtype.str}
    digest = hashlib.sha256(canonical_json(header))
    digest.update(data.data)
    return digest.hexdigest()


def pixels_sha256(volume: Volume) -> str:
    """SHA-256 over a volume's numbers, whatever its header says and in whatever order its axes count.

    The numbers are sorted and counted in float32, so that a copy that was turned, mirrored or stored as another type
    has the digest too. Two measurements never hold the same numbers equally often.
    """
    values = np.sort(np.asarray(volume.data, dtype=np.float32), axis=None) + np.float32(0)  # no negative zeros
    values[np.isnan(values)] = np.nan  # one of the many ways to write it
    header = canonical_json({"shape": sorted(int(size) for size in volume.grid.shape)})
    digest = hashlib.sha256(header)
    digest.update(values.astype("<f4", copy=False).data)
    return digest.hexdigest()
