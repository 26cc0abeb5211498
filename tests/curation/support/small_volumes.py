"""Small NIfTI volumes for tests of names and values: grey noise as images, a few labelled voxels as masks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.formats.nifti import encode, write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume

GRID = Grid((6, 5, 8), np.diag([-1.0, -1.0, 4.0, 1.0]))


def grey(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(100, 20, GRID.shape).astype(np.float32)


def labelled(*values: int) -> NDArray[np.uint8]:
    """Two voxels of each value."""
    data = np.zeros(GRID.shape, np.uint8)
    for place, value in enumerate(values):
        data[2:4, 1 + place, 3] = value
    return data


def put_image(path: Path, seed: int = 0) -> None:
    """Written plainly where the name ends with .nii, which is quick."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".nii"):
        path.write_bytes(_plain(grey(seed)))
    else:
        write_volume(path, Volume(grey(seed), GRID))


def put_mask(path: Path, *values: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".nii"):
        path.write_bytes(_plain(labelled(*values)))
    else:
        write_mask(path, Mask(labelled(*values), GRID))


def _plain(data: NDArray[np.generic]) -> bytes:
    import gzip

    return gzip.decompress(encode(data, GRID.affine))
