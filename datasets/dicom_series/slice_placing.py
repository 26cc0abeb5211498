"""Where a slice of a grid lies, as a DICOM header says it; the way back is `series_grid`.

Source: DICOM PS3.3 C.7.6.2 (Image Plane Module).
"""

import numpy as np
from pydicom import Dataset

from datasets.image.volume import Grid

_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def place_slice(dataset: Dataset, grid: Grid, k: int) -> None:
    """Adds size, spacing, position and orientation of slice `k` of a grid: i runs along a row, j along a column."""
    axes = grid.affine[:3, :3] * _RAS_TO_LPS[:, None] / np.array(grid.spacing)
    position = grid.to_world((0, 0, k)) * _RAS_TO_LPS
    dataset.ImagePositionPatient = [f"{value:.8g}" for value in position]
    dataset.ImageOrientationPatient = [f"{value:.9f}" for value in axes[:, :2].T.ravel()]
    dataset.PixelSpacing = [grid.spacing[1], grid.spacing[0]]
    dataset.Columns, dataset.Rows = grid.shape[0], grid.shape[1]
