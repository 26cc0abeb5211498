"""Metrics: agreement of two masks on one grid. Distances are in millimetres and use the grid's spacing.

The surface of a mask is the same for all measures: the voxels inside that have a face neighbour outside, at their
centres; the volume's border counts as outside, but along an axis of one voxel there is no outside (a single slice has
a rim, not two faces). It is the surface of MONAI's voxel-based measures, not the triangles of a mesh.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError
from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid
from training.measures.diameter import diameter_3d_mm, transverse_diameter_mm
from training.measures.distance import to_nearest
from training.measures.lesions import LesionCounts, lesion_counts

MaskArray = NDArray[Any]
"""A mask as an array of any type; values other than 0 are inside."""

_NOWHERE = (slice(0, 0),) * 3
"""The window of two empty masks."""

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
    one, other = _in_window(predicted, reference, grid)
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
    return _overlap(*_in_window(predicted, reference, grid), grid)


def dice(a: MaskArray, b: MaskArray) -> float:
    """Dice overlap 2|A∩B| / (|A| + |B|).

    Args:
        a: Array of any shape; non-zero is inside.
        b: Array of the same shape.

    Returns:
        0..1; 1 where both are empty.

    Raises:
        GeometryError: The shapes differ.
    """
    one, other = _inside(a, b)
    total = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / total if total else 1.0


def is_miss(dice_of_case: float) -> bool:
    """Whether a case's Dice is that of a miss, below `MISS_DICE`."""
    return dice_of_case < MISS_DICE


def surface_distances(a: MaskArray, b: MaskArray, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances in millimetres from each surface voxel of one mask to the other's nearest surface voxel.

    A surface voxel is one inside with a face neighbour outside; the volume's border counts as outside.

    Args:
        a: Array of `grid.shape`; non-zero is inside.
        b: Array of `grid.shape`.
        grid: Grid of both.

    Returns:
        From a to b and from b to a; infinite where the other mask is empty.

    Raises:
        GeometryError: An array has another shape than the grid, or the grid's axes are not at right angles.
    """
    return _distances(*_in_window(a, b, grid), grid)


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


def _in_window(a: MaskArray, b: MaskArray, grid: Grid) -> tuple[Inside, Inside]:
    """Both masks in the smallest box that holds both: beyond it all is outside, so that no measure differs."""
    one, other = _inside(a, b)
    require_grid(grid, one)
    window = mask_box(one | other) or _NOWHERE
    return one[window], other[window]


def _overlap(one: Inside, other: Inside, grid: Grid) -> Overlap:
    ways = _distances(one, other, grid)
    return Overlap(
        dice=dice(one, other),
        assd_mm=_none_if_infinite(_average(ways)),
        hd95_mm=_none_if_infinite(_percentile_95(ways)),
        surface_dice_1mm=_share_within(ways, SURFACE_TOLERANCE_MM),
    )


def _distances(one: Inside, other: Inside, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances in both directions between the surfaces of two masks, cut to a window beyond which all is outside."""
    flat = [axis for axis in range(3) if grid.shape[axis] == 1]
    first, second = _surface(one, flat), _surface(other, flat)
    return to_nearest(second, first, grid.spacing), to_nearest(first, second, grid.spacing)


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


def _inside(a: MaskArray, b: MaskArray) -> tuple[Inside, Inside]:
    if a.shape != b.shape:
        raise GeometryError(
            "mask-shapes",
            f"Expected two masks of one shape, got {tuple(a.shape)} and {tuple(b.shape)}.",
            remedy="Resample one onto the other's grid first.",
        )
    return _as_inside(a), _as_inside(b)


def _as_inside(mask: MaskArray) -> Inside:
    return mask if mask.dtype == np.bool_ else np.asarray(mask != 0)


def require_grid(grid: Grid, *masks: MaskArray) -> None:
    """Refuses masks that do not lie on a grid, and a grid on which no distance is measured.

    Raises:
        GeometryError: A mask has another shape than the grid, or the grid's axes are not at right angles.
    """
    for mask in masks:
        if tuple(mask.shape) != grid.shape:
            raise GeometryError(
                "mask-shape",
                f"Expected masks of {grid.shape}, got {tuple(mask.shape)}.",
                remedy="Give the grid that the masks lie on.",
            )
    if not grid.is_orthogonal:
        raise GeometryError(
            "grid-sheared",
            "The grid is sheared; distances are measured along axes at right angles only.",
            remedy="Resample the masks onto a grid without shear first.",
        )


def _surface(inside: Inside, flat: list[int]) -> Inside:
    """Voxels inside with a face neighbour outside, whatever lies along the flat axes."""
    around = np.pad(inside, 1)
    middle = [slice(1, -1)] * inside.ndim
    core = np.ones_like(inside)
    for axis in set(range(inside.ndim)) - set(flat):
        for neighbours in (slice(None, -2), slice(2, None)):
            core &= around[tuple(neighbours if at == axis else cut for at, cut in enumerate(middle))]
    surface: Inside = inside & ~core
    return surface
