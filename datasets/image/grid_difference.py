"""How two grids differ, in words: turned, of other voxels, or so many millimetres towards head, feet or a side."""

from itertools import permutations
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

_WAYS = (("right", "left"), ("front", "back"), ("head", "feet"))
"""Towards where RAS+ millimetres rise and fall, along x, y and z."""

_LEAST_MM = 5e-4
_LEAST_SHARE = 0.02
"""A component that is a smaller share of an offset is left out of the words."""

_LEAST_DEGREES = 0.01
_SAME_SPACING = 1e-4


class GridLike(Protocol):
    """The part of `volume.Grid` that is used here; `volume` imports this file."""

    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def affine(self) -> NDArray[np.float64]: ...
    @property
    def spacing(self) -> tuple[float, float, float]: ...
    @property
    def centre_mm(self) -> NDArray[np.float64]: ...
    def to_world(self, voxels: ArrayLike) -> NDArray[np.float64]: ...
    def to_voxel(self, points_mm: ArrayLike) -> NDArray[np.float64]: ...


def towards(offset: NDArray[np.float64]) -> str:
    """An offset (3,) in RAS+ millimetres in words, such as ``3.2 mm towards the feet``."""
    least = max(_LEAST_MM, _LEAST_SHARE * float(np.abs(offset).max()))
    parts = [
        f"{abs(length):.3g} mm towards the {ends[0] if length > 0 else ends[1]}"
        for length, ends in zip(offset.tolist(), _WAYS, strict=True)
        if abs(length) >= least
    ]
    return " and ".join(parts) or "in the same place"


def describe_difference(expected: GridLike, found: GridLike) -> str:
    """How one grid differs from another of the same description, for a message; empty where the sizes differ."""
    axes = _matching_axes(expected, found)
    degrees = _turned(expected, found, axes)
    if degrees >= _LEAST_DEGREES:
        return f"turned by {degrees:.2g} degrees"
    spacing = np.array(found.spacing)[axes]
    if np.abs(spacing / expected.spacing - 1.0).max() > _SAME_SPACING:
        ways = " x ".join(f"{value:.4g}" for value in spacing)
        return f"with voxels of {ways} mm along the same axes"
    if tuple(np.array(found.shape)[axes].tolist()) == expected.shape:
        way = found.centre_mm - expected.centre_mm
        return towards(way) if np.linalg.norm(way) > _LEAST_MM else "with its voxels in another order"
    return _beside(expected, found)


def _matching_axes(expected: GridLike, found: GridLike) -> list[int]:
    """Which axis of `found` runs along each axis of `expected`, whichever way."""
    cosines = np.abs(_directions(expected).T @ _directions(found))
    return list(max(permutations(range(3)), key=lambda axes: sum(cosines[one, axis] for one, axis in enumerate(axes))))


def _turned(expected: GridLike, found: GridLike, axes: list[int]) -> float:
    """Largest angle between two axes that run alike, in degrees."""
    one, other = _directions(expected), _directions(found)[:, axes]
    sines = np.linalg.norm(np.cross(one, other, axis=0), axis=0)
    return float(np.degrees(np.arcsin(np.clip(sines, 0.0, 1.0))).max())


def _beside(expected: GridLike, found: GridLike) -> str:
    """How far a grid of another size with the same voxels lies beside the other grid, or reaches beyond it."""
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in found.shape])).reshape(3, -1).T
    places = expected.to_voxel(found.to_world(corners))
    steps = expected.affine[:3, :3].T
    aside = (places - np.rint(places)) @ steps
    worst = aside[np.linalg.norm(aside, axis=1).argmax()]
    if np.linalg.norm(worst) > _LEAST_MM:
        return f"whose points lie {towards(worst)} of the nearest"
    beyond = (places - np.clip(places, 0, np.array(expected.shape) - 1)) @ steps
    return f"which reaches {towards(beyond[np.linalg.norm(beyond, axis=1).argmax()])} beyond it"


def _directions(grid: GridLike) -> NDArray[np.float64]:
    """Unit vectors of the axes, as columns."""
    directions: NDArray[np.float64] = grid.affine[:3, :3] / np.array(grid.spacing)
    return directions
