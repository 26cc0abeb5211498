"""Small grids and synthetic cases for the training tests."""

import numpy as np

from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from training.fitting.examples import Example


def lps_grid(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    """An axial grid as scanners write it: i to the left, j to posterior, k to superior."""
    return Grid(shape, np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]))


def blob_case(number: int, *, shape: tuple[int, int, int] = (48, 40, 8), radius_mm: float = 9.0) -> Example:
    """A synthetic case: noise, with a ball that is bright on T2 and dark on T1, elsewhere in every case."""
    random = np.random.default_rng(number)
    grid = lps_grid(shape, (1.0, 1.2, 4.0))
    centre = np.array(shape) * random.uniform(0.35, 0.65, 3)
    away = (np.indices(shape).reshape(3, -1).T - centre) * grid.spacing
    inside = (np.linalg.norm(away, axis=1) < radius_mm).reshape(shape)
    t1 = 100.0 - 60.0 * inside + random.normal(0, 8, shape)
    t2 = 40.0 + 70.0 * inside + random.normal(0, 8, shape)
    volumes = {"t1": Volume(t1.astype(np.float32), grid), "t2": Volume(t2.astype(np.float32), grid)}
    return Example(f"case-{number}", f"patient-{number}", volumes, Mask(inside.astype(np.uint8), grid))


def reordered(volume: Volume, *, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Volume:
    """The same image in another axis order and direction: every voxel keeps its place in the patient."""
    data = volume.data.transpose(order)
    affine = np.array(volume.grid.affine)
    affine[:3, :3] = affine[:3, list(order)]
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
            affine[:3, axis] *= -1
            data = np.flip(data, axis)
    return Volume(np.ascontiguousarray(data), Grid((data.shape[0], data.shape[1], data.shape[2]), affine))
