"""Three corners of a picture in millimetres: they prove how and where a volume was cut, whoever cut it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.pictures.picture_plane import PicturePlane

Corners = NDArray[np.float64]
"""(3, 3): the centres of the upper left, the upper right and the lower left pixel, each as RAS+ millimetres."""

_DIGITS = 3
_TOLERANCE = 0.1
"""Of the smallest voxel: corners are written with three digits, and two headers of one image may round apart."""


def corners_of(plane: PicturePlane, index: int) -> Corners:
    """The corners of one slice."""
    pixels = np.array([[0.5, 0.5], [plane.width - 0.5, 0.5], [0.5, plane.height - 0.5]])
    return plane.grid.to_world(plane.pixel_to_voxel(pixels, index=index))


def corners_as_list(plane: PicturePlane, index: int) -> list[list[float]]:
    """The corners for a task's data."""
    return [[round(float(value), _DIGITS) + 0.0 for value in point] for point in corners_of(plane, index)]


def corners_from(value: Any) -> Corners | None:
    """The corners in a task's data; None where it says none."""
    try:
        corners = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return corners if corners.shape == (3, 3) and np.isfinite(corners).all() else None


def are_corners_of(corners: Corners, plane: PicturePlane, index: int) -> bool:
    """Whether a picture with these corners is the plane's slice."""
    apart = np.linalg.norm(corners - corners_of(plane, index), axis=1).max()
    return bool(apart <= _TOLERANCE * min(plane.grid.spacing))
