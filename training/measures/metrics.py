"""Metrics: agreement of two masks on one grid. Distances are in millimetres and use the grid's spacing.

What a mask's surface is, and how far two lie apart, is `datasets.image.mask_measures`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside
from datasets.image.mask_measures import (
    MaskArray,
    dice,
    distances_between,
    in_window,
    require_grid,
    surface_distances,
)
from datasets.image.volume import Grid
from training.measures.diameter import diameter_3d_mm, transverse_diameter_mm
from training.measures.lesions import LesionCounts, lesion_counts

__all__ = [
    "MISS_DICE",
    "SURFACE_TOLERANCE_MM",
    "Agreement",
    "MaskArray",
    "Overlap",
    "agreement",
    "assd_mm",
    "dice",
    "hd95_mm",
    "is_miss",
    "overlap",
    "require_grid",
    "surface_dice",
    "surface_distances",
    "volume_ml",
]

SURFACE_TOLERANCE_MM = 1.0
"""How far apart two surfaces may lie and still count as one (2S-ICR, section 4.4): about one pixel of the T1 images."""

MISS_DICE = 0.3
"""A case with less is a miss: the mask lies elsewhere or is empty. Counted apart, since a mean hides them."""

_ROUNDING_MM = 1e-5
"""Rounding error of a spacing in float32 and its squares: a surface exactly at the tolerance is within it."""


@dataclass(frozen=True)
class Overlap:
    """How far two masks lie on each other.

    Args:
        dice: 0..1; 1 where both are empty.
        assd_mm: Average symmetric surface distance; None where only one of the two is empty: there is no distance.
        hd95_mm: 95th percentile of the surface distances; None as above.
        surface_dice_1mm: Surface Dice at `SURFACE_TOLERANCE_MM`; 0 where only one of the two is empty.
    """

    dice: float
    assd_mm: float | None
    hd95_mm: float | None
    surface_dice_1mm: float


@dataclass(frozen=True)
class Agreement(Overlap):
    """All measures of one predicted mask against its reference.

    Args:
        volume_ml: Of the prediction.
        reference_volume_ml: Of the reference.
        diameter_mm: Largest diameter of the prediction in one slice.
        reference_diameter_mm: The same of the reference.
        diameter_3d_mm: Largest diameter of the prediction in any direction.
        reference_diameter_3d_mm: The same of the reference.
        lesions: Lesions detected, missed and false.
    """

    volume_ml: float
    reference_volume_ml: float
    diameter_mm: float
    reference_diameter_mm: float
    diameter_3d_mm: float
    reference_diameter_3d_mm: float
    lesions: LesionCounts


def agreement(predicted: MaskArray, reference: MaskArray, grid: Grid, slice_axis: int) -> Agreement:
    """All measures at once; the surface distances are worked out once, in the window that holds both masks.

    Args:
        predicted: Array of `grid.shape`; non-zero is inside.
        reference: Array of `grid.shape`.
        grid: Grid of both.
        slice_axis: The grid axis that runs through the slices.

    Raises:
        GeometryError: As `surface_distances`.
    """
    one, other = in_window(predicted, reference, grid)
    return Agreement(
        **vars(_overlap(one, other, grid)),
        volume_ml=volume_ml(one, grid),
        reference_volume_ml=volume_ml(other, grid),
        diameter_mm=transverse_diameter_mm(one, grid, slice_axis),
        reference_diameter_mm=transverse_diameter_mm(other, grid, slice_axis),
        diameter_3d_mm=diameter_3d_mm(one, grid),
        reference_diameter_3d_mm=diameter_3d_mm(other, grid),
        lesions=lesion_counts(one, other),
    )


def overlap(predicted: MaskArray, reference: MaskArray, grid: Grid) -> Overlap:
    """Dice and the surface measures alone; arguments and errors as `agreement`."""
    return _overlap(*in_window(predicted, reference, grid), grid)


def is_miss(dice_of_case: float) -> bool:
    """Whether a case's Dice is that of a miss, below `MISS_DICE`."""
    return dice_of_case < MISS_DICE


def assd_mm(a: MaskArray, b: MaskArray, grid: Grid) -> float:
    """Average symmetric surface distance: the mean over the surface voxels of both masks, in millimetres.

    Returns:
        0 where both masks are empty, infinite where one is.

    Raises:
        GeometryError: As `surface_distances`.
    """
    return _average(surface_distances(a, b, grid))


def hd95_mm(a: MaskArray, b: MaskArray, grid: Grid) -> float:
    """95th percentile of the surface distances, the larger of both directions, in millimetres.

    Returns:
        0 where both masks are empty, infinite where one is.

    Raises:
        GeometryError: As `surface_distances`.
    """
    return _percentile_95(surface_distances(a, b, grid))


def surface_dice(a: MaskArray, b: MaskArray, grid: Grid, *, tolerance_mm: float = SURFACE_TOLERANCE_MM) -> float:
    """Surface Dice: the share of both surfaces' voxels that lie within a tolerance of the other surface.

    Every surface voxel counts once, however large its faces are (MONAI's `compute_surface_dice` without sub-voxels;
    the original of Nikolov et al. weighs by the area of a mesh instead).

    Returns:
        0..1; 1 where both masks are empty, 0 where one is.

    Raises:
        GeometryError: As `surface_distances`.

    Source: 2S-ICR, equation 7; Nikolov et al., J Med Internet Res 2021;23:e26151.
    """
    return _share_within(surface_distances(a, b, grid), tolerance_mm)


def volume_ml(inside: MaskArray, grid: Grid) -> float:
    """Volume in millilitres of the voxels of an array that are not zero."""
    return int(np.count_nonzero(inside)) * grid.voxel_volume_mm3 / 1000.0


def _overlap(one: Inside, other: Inside, grid: Grid) -> Overlap:
    ways = distances_between(one, other, grid)
    return Overlap(
        dice=dice(one, other),
        assd_mm=_none_if_infinite(_average(ways)),
        hd95_mm=_none_if_infinite(_percentile_95(ways)),
        surface_dice_1mm=_share_within(ways, SURFACE_TOLERANCE_MM),
    )


def _average(ways: tuple[NDArray[np.float64], NDArray[np.float64]]) -> float:
    distances = np.concatenate(ways)
    return float(distances.mean()) if distances.size else 0.0


def _percentile_95(ways: tuple[NDArray[np.float64], NDArray[np.float64]]) -> float:
    if any(np.isinf(way).any() for way in ways):
        return float("inf")
    return max((float(np.percentile(way, 95)) for way in ways if way.size), default=0.0)


def _share_within(ways: tuple[NDArray[np.float64], NDArray[np.float64]], tolerance_mm: float) -> float:
    distances = np.concatenate(ways)
    return float((distances <= tolerance_mm + _ROUNDING_MM).mean()) if distances.size else 1.0


def _none_if_infinite(distance_mm: float) -> float | None:
    return None if np.isinf(distance_mm) else distance_mm
