"""Refuses implausible geometry: voxel sizes outside 0.01 to 100 mm, origins more than 100 m away."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

SMALLEST_SPACING_MM, LARGEST_SPACING_MM = 0.01, 100.0
"""Plausible voxel sizes: they hold ex vivo microscopy (0.02 mm) and the thickest localiser slices (some 20 mm)."""

FARTHEST_MM = 1e5
"""Largest coordinate of an image's first voxel: a hundred metres from the scanner's centre, while real ones lie within
some metres."""


def geometry_faults(spacing_mm: ArrayLike, origin_mm: ArrayLike) -> Iterator[tuple[str, str]]:
    """Faults of an image's voxel sizes and origin.

    Args:
        spacing_mm: Distances between neighbouring voxels, any shape, in millimetres.
        origin_mm: Coordinates of first voxels, any shape, in millimetres.

    Yields:
        The end of a code (``spacing-range`` or ``origin-far``) and a message; values that are no numbers are faults.
    """
    spacing, origin = np.asarray(spacing_mm, np.float64).ravel(), np.abs(np.asarray(origin_mm, np.float64)).ravel()
    if not ((spacing >= SMALLEST_SPACING_MM) & (spacing <= LARGEST_SPACING_MM)).all():
        found = " x ".join(f"{value:.3g}" for value in spacing[:3])
        yield (
            "spacing-range",
            f"Expected voxels of {SMALLEST_SPACING_MM:g} to {LARGEST_SPACING_MM:g} mm, got {found} mm.",
        )
    if not (origin <= FARTHEST_MM).all():
        yield "origin-far", f"Expected an image within {FARTHEST_MM:g} mm of the centre, got {origin.max():.3g} mm."
