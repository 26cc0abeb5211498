"""How far readers of one case agree: two or more masks of one label, in the whole and slice by slice.

Surfaces are weighted by area, as `training.measures.surface` says: surface Dice equals DeepMind's
`compute_surface_dice_at_tolerance` and MONAI's `compute_surface_dice(use_subvoxels=True)`, HD95 equals DeepMind's
`compute_robust_hausdorff`. MONAI's `compute_hausdorff_distance` differs: its surface is the voxels inside with a face
neighbour outside, each counted once however thick a slice is, and its percentile is interpolated between two distances.
That one is `training.measures.metrics.hd95_mm`, with which models are evaluated. Both are the same where at least a
twentieth of each surface lies at the largest distance, as for a box that was moved along an axis by less than its size.

Where masks are empty: both, and they agree wholly (Dice 1, surface Dice 1, HD95 0, ratio 1); one, and they agree in
nothing (Dice 0, surface Dice 0, no HD95, ratio 0 if the first is empty, none if the second is).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid
from training.measures.metrics import SURFACE_TOLERANCE_MM, dice, require_grid, volume_ml
from training.measures.surface import surface_distances_by_area

_NOWHERE = (slice(0, 0),) * 3


@dataclass(frozen=True)
class MaskAgreement:
    """Agreement of two masks of one label.

    Args:
        dice: 0..1.
        surface_dice_1mm: 0..1, at `SURFACE_TOLERANCE_MM`.
        hd95_mm: Robust Hausdorff distance at 95 %; None where only one of the two is empty.
        volume_ratio: Volume of the first divided by that of the second (in a slice: areas); None where only the second
            is empty.
        volume_ml: Of the first; in a slice, of its voxels.
        other_volume_ml: Of the second.
    """

    dice: float
    surface_dice_1mm: float
    hd95_mm: float | None
    volume_ratio: float | None
    volume_ml: float
    other_volume_ml: float


def mask_agreement(first: Inside, second: Inside, grid: Grid) -> MaskAgreement:
    """Agreement of two masks in the whole volume.

    Args:
        first: bool of `grid.shape`.
        second: bool of `grid.shape`.
        grid: Grid of both.

    Raises:
        GeometryError: A mask has another shape than the grid, or the grid's axes are not at right angles.
    """
    require_grid(grid, first, second)
    window = mask_box(first | second) or _NOWHERE
    return _agreement(first[window], second[window], grid)


def slice_agreement(first: Inside, second: Inside, grid: Grid, slice_axis: int) -> dict[int, MaskAgreement]:
    """Agreement in each slice that either mask is drawn in, by the slice's index; surfaces are the rims of a slice.

    Args:
        first: bool of `grid.shape`.
        second: bool of `grid.shape`.
        grid: Grid of both.
        slice_axis: The grid axis that runs through the slices.

    Raises:
        GeometryError: As `mask_agreement`.
    """
    require_grid(grid, first, second)
    window = mask_box(first | second)
    if window is None:
        return {}
    start = window[slice_axis].start
    pairs = zip(*(np.moveaxis(each[window], slice_axis, 0) for each in (first, second)), strict=True)
    return {
        start + at: _agreement(np.expand_dims(one, slice_axis), np.expand_dims(other, slice_axis), grid, slice_axis)
        for at, (one, other) in enumerate(pairs)
        if one.any() or other.any()
    }


def pairs_of_readers(masks: Mapping[str, Inside], grid: Grid) -> dict[tuple[str, str], MaskAgreement]:
    """Agreement of each two readers, in the order in which the readers were given.

    Args:
        masks: Each reader's mask, bool of `grid.shape`; two at least.
        grid: Grid of all.

    Raises:
        RejectedInput: There are fewer than two masks (``too-few-readers``).
        GeometryError: As `mask_agreement`.
    """
    require_readers(masks)
    require_grid(grid, *masks.values())
    window = mask_box(np.logical_or.reduce(list(masks.values()))) or _NOWHERE
    cut = {reader: inside[window] for reader, inside in masks.items()}
    return {(one, other): _agreement(cut[one], cut[other], grid) for one, other in combinations(cut, 2)}


def require_readers(masks: Mapping[str, Inside]) -> None:
    """Refuses to compare fewer than two masks.

    Raises:
        RejectedInput: ``too-few-readers``.
    """
    if len(masks) < 2:
        raise RejectedInput(
            "too-few-readers",
            f"Expected the masks of two readers at least, got {len(masks)}.",
            remedy="Wait until another reader has handed in.",
        )


def _agreement(first: Inside, second: Inside, grid: Grid, slice_axis: int | None = None) -> MaskAgreement:
    """Agreement of masks cut to a window beyond which all is outside; one slice of them where `slice_axis` is given."""
    flat = tuple(axis for axis in range(3) if axis == slice_axis or grid.shape[axis] == 1)[:1]
    spacing = [grid.spacing[axis] for axis in range(3) if axis not in flat]
    surfaces = surface_distances_by_area(
        np.logical_or.reduce(first, axis=flat), np.logical_or.reduce(second, axis=flat), spacing
    )
    one, other = volume_ml(first, grid), volume_ml(second, grid)
    return MaskAgreement(
        dice=dice(first, second),
        surface_dice_1mm=surfaces.share_within(SURFACE_TOLERANCE_MM),
        hd95_mm=surfaces.percentile_mm(95),
        volume_ratio=_ratio(one, other),
        volume_ml=one,
        other_volume_ml=other,
    )


def _ratio(one: float, other: float) -> float | None:
    if other:
        return one / other
    return None if one else 1.0
