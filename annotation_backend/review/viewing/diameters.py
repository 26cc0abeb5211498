"""The longest diameter of a mask in one slice and the longest one across it, with their ends, as RECIST measures them.

Source: Eisenhauer et al. 2009, Eur J Cancer 45:228, doi 10.1016/j.ejca.2008.10.026 (longest diameter in the plane of
measurement; the short axis is perpendicular to it).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside
from datasets.image.volume import Grid

Voxel = tuple[int, int, int]

_RIGHT_ANGLE = 0.05
"""Largest cosine between the two diameters: between voxels' centres hardly any are at a right angle exactly."""


@dataclass(frozen=True)
class Diameters:
    """The two diameters between centres of voxels.

    Args:
        long_mm: The longest distance in one slice.
        long_ends: Its ends.
        short_mm: The longest distance across it in that slice.
        short_ends: Its ends.
    """

    long_mm: float
    long_ends: tuple[Voxel, Voxel]
    short_mm: float
    short_ends: tuple[Voxel, Voxel]


def longest_diameters(inside: Inside, grid: Grid, slice_axis: int) -> Diameters | None:
    """The diameters of a mask; None of an empty one.

    Args:
        inside: Boolean, 3D; may be a part cut from the grid.
        grid: Its directions and spacings are used.
        slice_axis: The grid axis that runs through the slices.
    """
    best: tuple[float, int, NDArray[np.int64], NDArray[np.int64]] | None = None
    slices = np.moveaxis(inside, slice_axis, 0)
    axes = np.delete(grid.affine[:3, :3], slice_axis, axis=1)
    for index in np.flatnonzero(slices.any(axis=(1, 2))):
        rim = _rim(slices[index])
        long_mm, one, other = _farthest(rim, axes)
        if best is None or long_mm > best[0]:
            best = (long_mm, int(index), rim[one], rim[other])
    if best is None:
        return None
    long_mm, index, one, other = best
    short_mm, short = _across(slices[index], axes, other - one)
    return Diameters(
        long_mm,
        (_voxel(one, index, slice_axis), _voxel(other, index, slice_axis)),
        short_mm,
        (_voxel(short[0], index, slice_axis), _voxel(short[1], index, slice_axis)),
    )


def _rim(picture: Inside) -> NDArray[np.int64]:
    """(N, 2) first and last pixel of each row: the corners of the convex hull are among them."""
    rows = np.flatnonzero(picture.any(axis=1))
    first = picture[rows].argmax(axis=1)
    last = picture.shape[1] - 1 - picture[rows, ::-1].argmax(axis=1)
    return np.unique(np.concatenate([np.stack([rows, first], axis=1), np.stack([rows, last], axis=1)]), axis=0)


def _farthest(points: NDArray[np.int64], axes: NDArray[np.float64]) -> tuple[float, int, int]:
    """The largest distance between two of the points (N, 2), and which two."""
    places = points @ axes.T
    distances = np.linalg.norm(places[:, None] - places[None, :], axis=-1)
    one, other = np.unravel_index(int(distances.argmax()), distances.shape)
    return float(distances.max()), int(one), int(other)


def _across(picture: Inside, axes: NDArray[np.float64], along: NDArray[np.int64]) -> tuple[float, NDArray[np.int64]]:
    """The longest distance across a direction between two points of a slice's rim, and its ends (2, 2)."""
    rim = np.unique(np.concatenate([_rim(picture), _rim(picture.T)[:, ::-1]]), axis=0)
    places = rim @ axes.T
    between = places[:, None] - places[None, :]
    distances = np.linalg.norm(between, axis=-1)
    direction = axes @ along
    length = float(np.linalg.norm(direction))
    cosines = np.abs(between @ direction) / np.maximum(distances * length, 1e-9)
    across = np.where((cosines <= _RIGHT_ANGLE) & (length > 0), distances, 0.0)
    one, other = np.unravel_index(int(across.argmax()), across.shape)
    return float(across.max()), np.stack([rim[one], rim[other]])


def _voxel(pixel: NDArray[np.int64], index: int, slice_axis: int) -> Voxel:
    i, j, k = np.insert(pixel, slice_axis, index)
    return int(i), int(j), int(k)
