"""Surface elements of masks, weighted by area, as DeepMind's `surface-distance` defines them.

The surface runs between the voxels' centres: each cube of 2 x 2 x 2 centres that are not all inside or all outside is
one element, with the area of the triangles that marching cubes lays through it, at the cube's middle. In a slice it is
a square of 2 x 2 centres and a length. Their table of triangles is the package's; codes and distances are worked out
here, with a faster distance transform, in the window that holds both masks.

What lies beyond the array counts as outside. A grid of one slice is measured as a slice: it has a rim, not two faces.

Source: Nikolov et al., J Med Internet Res 2021;23:e26151; google-deepmind/surface-distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside
from datasets.image.mask_measures import to_nearest

_ROUNDING_MM = 1e-5
"""Rounding error of a distance in float32: a surface exactly at the tolerance is within it."""


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """How far each element of two surfaces lies from the other surface.

    Args:
        first_mm: (N,) from the first surface to the second; infinite where the second is empty.
        second_mm: (M,) from the second to the first.
        first_areas: (N,) mm2 of the first surface's elements; mm of rim in a slice.
        second_areas: (M,) the same of the second.
    """

    first_mm: NDArray[np.float64]
    second_mm: NDArray[np.float64]
    first_areas: NDArray[np.float64]
    second_areas: NDArray[np.float64]

    def share_within(self, tolerance_mm: float) -> float:
        """Surface Dice: the share of both surfaces' area that lies within a tolerance of the other surface.

        Returns:
            0..1; 1 where both masks are empty (DeepMind: no number), 0 where one is.
        """
        total = float(self.first_areas.sum() + self.second_areas.sum())
        near = sum(
            float(areas[distances <= tolerance_mm + _ROUNDING_MM].sum())
            for distances, areas in ((self.first_mm, self.first_areas), (self.second_mm, self.second_areas))
        )
        return near / total if total else 1.0

    def percentile_mm(self, percent: float) -> float | None:
        """Robust Hausdorff distance: the larger of both directions' percentiles, each weighted by area.

        Args:
            percent: 0..100; 95 gives HD95.

        Returns:
            0 where both masks are empty, None where one is: there is no distance (DeepMind: infinite in both).
        """
        if not (self.first_mm.size or self.second_mm.size):
            return 0.0
        if not (self.first_mm.size and self.second_mm.size):
            return None
        return max(
            _percentile(self.first_mm, self.first_areas, percent),
            _percentile(self.second_mm, self.second_areas, percent),
        )


def surface_distances_by_area(first: Inside, second: Inside, spacing: Sequence[float]) -> SurfaceDistances:
    """Distances between the surface elements of two masks, with the elements' areas.

    Args:
        first: bool of two or three axes.
        second: bool of the same shape.
        spacing: Millimetres along each axis, at right angles to each other.
    """
    table = _table(tuple(spacing))
    codes = [_codes(inside) for inside in (first, second)]
    surfaces = [(code != 0) & (code != table.size - 1) for code in codes]
    distances = [to_nearest(other, own, spacing) for own, other in (surfaces, surfaces[::-1])]
    areas = [table[code[surface]] for code, surface in zip(codes, surfaces, strict=True)]
    return SurfaceDistances(distances[0], distances[1], areas[0], areas[1])


def _table(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Area of each code's triangles (256 codes), or length of each code's lines (16)."""
    from surface_distance import lookup_tables

    make = {
        2: lookup_tables.create_table_neighbour_code_to_contour_length,
        3: lookup_tables.create_table_neighbour_code_to_surface_area,
    }[len(spacing)]
    return np.asarray(make(spacing), dtype=np.float64)


def _codes(inside: Inside) -> NDArray[np.uint8]:
    """The code of each cube (square) of neighbouring centres: a bit for each inside, the first centre's highest."""
    around = np.pad(inside, 1).astype(np.uint8)
    codes = np.zeros([size - 1 for size in around.shape], np.uint8)
    for corner in product((0, 1), repeat=inside.ndim):
        window = around[tuple(slice(at, size - 1 + at) for at, size in zip(corner, around.shape, strict=True))]
        codes = np.bitwise_or(np.left_shift(codes, 1, dtype=np.uint8), window)
    return codes


def _percentile(distances: NDArray[np.float64], areas: NDArray[np.float64], percent: float) -> float:
    """The smallest distance that at least the given share of the area does not exceed."""
    order = np.lexsort((areas, distances))
    share = np.cumsum(areas[order]) / areas.sum()
    at = int(np.searchsorted(share, percent / 100.0))
    return float(distances[order][min(at, distances.size - 1)])
