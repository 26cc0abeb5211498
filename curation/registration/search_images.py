"""Two images as the search for a motion sees them: clipped, coarser where finer than the level, the body known."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from curation.registration.body import body_mask
from curation.registration.source_image import SourceImage
from datasets.image.resample import divided, resample_volume
from datasets.image.volume import Affine, Volume

BODY_SPACING_MM = 3.0
"""The body's outline needs no finer image than this."""

_EVERY = 11
"""One in this many voxels of the body is a point to measure distances at."""


@dataclass(frozen=True, eq=False)
class SearchImage:
    """One image at one level.

    Args:
        volume: float32, clipped as `SourceImage.search_window` says.
        body: Where the body is, of the volume's shape.
    """

    volume: Volume
    body: NDArray[np.bool_]

    @cached_property
    def centre(self) -> NDArray[np.float64]:
        """(3,) RAS+ millimetres of the body's centre."""
        centre: NDArray[np.float64] = self.volume.grid.to_world(np.argwhere(self.body)).mean(axis=0)
        return centre


class SearchImages:
    """The two images of a registration at every level that is asked for, each made once.

    Args:
        moving: The image that is to be brought onto the other.
        fixed: The image that stays.
    """

    def __init__(self, moving: SourceImage, fixed: SourceImage) -> None:
        self.moving, self.fixed = moving, fixed
        self._volumes = [Volume(image.clipped, image.volume.grid) for image in (moving, fixed)]
        coarse = [search_image(volume, spacing_mm=BODY_SPACING_MM) for volume in self._volumes]
        self._bodies = [Volume(body_mask(image).astype(np.float32), image.grid) for image in coarse]
        self._seen: dict[float, tuple[SearchImage, SearchImage]] = {}

    @property
    def have_other_frames(self) -> bool:
        """Whether the two name different frames of reference."""
        return len({image.frame for image in (self.moving, self.fixed)} - {""}) == 2

    @property
    def outside(self) -> float:
        """The intensity where the clipped moving image does not reach; where that is background, none."""
        return max(self.moving.outside, float(np.min(self._volumes[0].data))) if self.moving.outside else 0.0

    def at(self, spacing_mm: float) -> tuple[SearchImage, SearchImage]:
        """The moving and the fixed image with no voxel finer than `spacing_mm`."""
        if spacing_mm not in self._seen:
            moving, fixed = (self._image(index, spacing_mm) for index in (0, 1))
            self._seen[spacing_mm] = moving, fixed
        return self._seen[spacing_mm]

    def distance_mm(self, one: Affine, other: Affine) -> float:
        """Mean distance between where two transforms take the points of the fixed image's body."""
        points = self._points
        apart = points @ (one - other)[:3, :3].T + (one - other)[:3, 3]
        return float(np.linalg.norm(apart, axis=1).mean())

    @cached_property
    def _points(self) -> NDArray[np.float64]:
        """(n, 3) RAS+ millimetres of the fixed image's body."""
        body = self._bodies[1]
        return body.grid.to_world(np.argwhere(np.asarray(body.data) >= 0.5)[::_EVERY])

    def _image(self, index: int, spacing_mm: float) -> SearchImage:
        volume = search_image(self._volumes[index], spacing_mm=spacing_mm)
        body = resample_volume(self._bodies[index], volume.grid, outside=np.nan)
        inside = np.asarray(body.data)
        return SearchImage(volume, (inside >= 0.5) if np.isfinite(inside).any() else np.ones(inside.shape, dtype=bool))


def search_image(volume: Volume, *, spacing_mm: float) -> Volume:
    """The image with voxels finer than `spacing_mm` averaged to about that size; coarser axes stay as they are."""
    from scipy.ndimage import gaussian_filter

    wanted = tuple(max(step, spacing_mm) for step in volume.grid.spacing)
    grid = divided(volume.grid, (wanted[0], wanted[1], wanted[2]))
    coarser = np.array(grid.spacing) / volume.grid.spacing
    sigma = np.sqrt(np.maximum(coarser**2 - 1.0, 0.0)) / 2.0
    smooth = gaussian_filter(np.asarray(volume.data, dtype=np.float32), sigma=sigma, mode="nearest")
    return resample_volume(Volume(smooth, volume.grid), grid)
