"""The largest diameter of a mask in one slice, as a radiologist measures a tumour."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image.volume import Grid


def transverse_diameter_mm(inside: NDArray[Any], grid: Grid, slice_axis: int) -> float:
    """The largest distance between the centres of two voxels of a mask that lie in one slice, in millimetres.

    PyRadiomics' `Maximum2DDiameterSlice` measures between the vertices of a mesh instead, which lie up to half a voxel
    further out at either end.

    Args:
        inside: 3D array; non-zero is inside. May be a part cut from the grid: only directions and spacings are used.
        grid: Its grid.
        slice_axis: The grid axis that runs through the slices.

    Returns:
        0 for an empty mask and for single voxels.

    Source: InteractiveNet, "Agreement of volume and diameter measurements".
    """
    slices = np.moveaxis(np.asarray(inside) != 0, slice_axis, 0)
    axes = np.delete(grid.affine[:3, :3], slice_axis, axis=1)
    largest = 0.0
    corners = [axes @ _rim(picture).T for picture in slices if picture.any()]
    # The largest boxes first: a slice whose box is smaller than the largest diameter so far cannot hold a larger one.
    for points in sorted(corners, key=_box_diagonal, reverse=True):
        if _box_diagonal(points) <= largest:
            break
        largest = max(largest, _farthest(points))
    return largest


def _rim(picture: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The (N, 2) pixels at the ends of both their row and their column: the convex hull's corners are among them."""
    row_ends, column_ends = np.zeros_like(picture), np.zeros_like(picture)
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    row_ends[rows, picture[rows].argmax(axis=1)] = True
    row_ends[rows, picture.shape[1] - 1 - picture[rows, ::-1].argmax(axis=1)] = True
    column_ends[picture[:, columns].argmax(axis=0), columns] = True
    column_ends[picture.shape[0] - 1 - picture[::-1, columns].argmax(axis=0), columns] = True
    return np.argwhere(row_ends & column_ends).astype(np.float64)


def _box_diagonal(points: NDArray[np.float64]) -> float:
    """Diagonal of the box around the points (3, N) along the world's axes: no two points lie farther apart."""
    return float(np.linalg.norm(np.ptp(points, axis=1)))


def _farthest(points: NDArray[np.float64]) -> float:
    """The largest distance between two of the points (3, N), which are two at least."""
    from scipy.spatial.distance import pdist

    return float(pdist(points.T).max())
