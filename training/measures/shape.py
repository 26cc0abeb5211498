"""What one mask looks like to somebody who reviews it: volume, diameters, area by slice, and what looks odd.

What is listed is to be looked at; none of it is wrong by itself. Bounds are such that no slice of an ellipsoid,
straight or slanted, is listed (`tests/training/measures/test_shape.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datasets.image.mask import Inside
from datasets.image.mask_box import mask_box
from datasets.image.volume import Grid
from training.measures.diameter import Diameters, recist_diameters
from training.measures.metrics import volume_ml
from training.measures.places import BY_CORNERS, BY_FACES, Part, Voxel, middle_voxel, numbered_parts, parts_of

LARGEST_AREA_RATIO = 2.0
"""Neighbouring slices whose areas differ by more than this factor are listed; ends may taper faster."""

LARGEST_SHIFT = 0.5
"""Of the radius of a circle as large as the smaller slice: how far the middle may move, beside what is usual here."""


class Oddity(StrEnum):
    """What may look odd about a mask."""

    PIECE = "piece"
    """Voxels apart from the largest piece; the amount is their volume in mm3."""
    HOLE = "hole"
    """Voxels that the mask encloses in their slice; the amount is their volume in mm3."""
    GAP = "gap"
    """Slices without mask between drawn ones; the amount is how many."""
    AREA_JUMP = "area-jump"
    """A slice much larger or smaller than the one before; the amount is the larger area over the smaller."""
    SHIFT = "shift"
    """A slice whose middle lies aside of where the one before leads; the amount is mm."""


@dataclass(frozen=True)
class ShapeFinding:
    """One thing to look at.

    Args:
        kind: What it is.
        slice_index: The slice to open.
        voxel: (i, j, k) where in it.
        amount: How much, in the unit that the kind names.
    """

    kind: Oddity
    slice_index: int
    voxel: Voxel
    amount: float


@dataclass(frozen=True)
class Shape:
    """One mask in numbers.

    Args:
        volume_ml: Its volume.
        diameters: RECIST's two; None for an empty mask.
        areas_mm2: Area in each slice of the grid, from the first on.
        findings: What may look odd: pieces, holes, gaps, then jumps and shifts from slice to slice.
    """

    volume_ml: float
    diameters: Diameters | None
    areas_mm2: tuple[float, ...]
    findings: tuple[ShapeFinding, ...]


def shape_of(inside: Inside, grid: Grid, slice_axis: int) -> Shape:
    """One mask in numbers, with what may look odd.

    Args:
        inside: bool of `grid.shape`.
        grid: Its grid.
        slice_axis: The grid axis that runs through the slices.
    """
    return Shape(
        volume_ml(inside, grid),
        recist_diameters(inside, grid, slice_axis),
        tuple(areas_mm2(inside, grid, slice_axis).tolist()),
        tuple(shape_findings(inside, grid, slice_axis)),
    )


def areas_mm2(inside: Inside, grid: Grid, slice_axis: int) -> NDArray[np.float64]:
    """(slices,) area of a mask in each slice, in mm2; times the distance between slices it sums to the volume."""
    others = tuple(axis for axis in range(3) if axis != slice_axis)
    counts = np.count_nonzero(inside, axis=others)
    return np.asarray(counts * (grid.voxel_volume_mm3 / grid.spacing[slice_axis]), dtype=np.float64)


def shape_findings(inside: Inside, grid: Grid, slice_axis: int) -> Iterator[ShapeFinding]:
    """What may look odd about a mask; nothing about an empty one."""
    if not inside.any():
        return
    drawn = np.flatnonzero(areas_mm2(inside, grid, slice_axis)).tolist()
    numbers = _numbered_in_box(inside, inside, BY_CORNERS)
    pieces = list(parts_of(numbers, grid, slice_axis))
    yield from (ShapeFinding(Oddity.PIECE, part.largest_slice, part.voxel, part.volume_mm3) for part in pieces[1:])
    yield from _holes(inside, grid, slice_axis)
    yield from _gaps(inside, grid, slice_axis, drawn)
    body = np.isin(numbers, _own_slices(pieces))
    areas = areas_mm2(body, grid, slice_axis)
    yield from _area_jumps(body, grid, slice_axis, areas)
    yield from _shifts(body, grid, slice_axis, areas)


def _own_slices(pieces: Sequence[Part]) -> list[int]:
    """Numbers of the pieces that lie in a slice without a larger one.

    The others lie beside the tumour: a slice's area and middle are measured without them.
    """
    found, taken = [], set[int]()
    for number, part in enumerate(pieces, start=1):
        slices = set(range(part.first_slice, part.last_slice + 1))
        if slices - taken:
            found.append(number)
        taken |= slices
    return found


def _holes(inside: Inside, grid: Grid, slice_axis: int) -> Iterator[ShapeFinding]:
    """Background that no path leads out of in its slice; holes that touch from slice to slice are one."""
    from scipy.ndimage import binary_fill_holes

    holes = np.zeros_like(inside)
    box = mask_box(inside) or ()
    for index in range(box[slice_axis].start, box[slice_axis].stop):
        at = tuple(index if axis == slice_axis else along for axis, along in enumerate(box))
        holes[at] = binary_fill_holes(inside[at]) & ~inside[at]
    for part in parts_of(_numbered_in_box(holes, inside, BY_FACES), grid, slice_axis):
        yield ShapeFinding(Oddity.HOLE, part.largest_slice, part.voxel, part.volume_mm3)


def _numbered_in_box(values: Inside, inside: Inside, connectivity: int) -> NDArray[np.int32]:
    numbers = np.zeros(values.shape, np.int32)
    window = mask_box(inside)
    if window is not None:
        numbers[window] = numbered_parts(values[window], connectivity)
    return numbers


def _gaps(inside: Inside, grid: Grid, slice_axis: int, drawn: list[int]) -> Iterator[ShapeFinding]:
    for before, after in pairwise(drawn):
        if after - before > 1:
            index = (before + after) // 2
            voxel = list(_voxel_in(inside, grid, slice_axis, before))
            voxel[slice_axis] = index
            yield ShapeFinding(Oddity.GAP, index, (voxel[0], voxel[1], voxel[2]), float(after - before - 1))


def _area_jumps(inside: Inside, grid: Grid, slice_axis: int, areas: NDArray[np.float64]) -> Iterator[ShapeFinding]:
    """Where the area changes too fast; at either end of the mask only an end that is larger is odd."""
    drawn = np.flatnonzero(areas)
    for index in range(int(drawn[0]), int(drawn[-1])):
        one, other = areas[index], areas[index + 1]
        if not (one and other):
            continue
        tapers = (index == drawn[0] and one < other) or (index + 1 == drawn[-1] and other < one)
        ratio = float(max(one, other) / min(one, other))
        if ratio > LARGEST_AREA_RATIO and not tapers:
            voxel = _voxel_in(inside, grid, slice_axis, index + 1)
            yield ShapeFinding(Oddity.AREA_JUMP, index + 1, voxel, ratio)


def _shifts(inside: Inside, grid: Grid, slice_axis: int, areas: NDArray[np.float64]) -> Iterator[ShapeFinding]:
    """Where the middle moves otherwise than it usually does from slice to slice: a slanted mask moves evenly."""
    pairs = [index for index in np.flatnonzero(areas[:-1]).tolist() if areas[index + 1]]
    if len(pairs) < 3:
        return
    middles = {index: _middle_mm(inside, grid, slice_axis, index) for at in pairs for index in (at, at + 1)}
    moves = np.array([middles[index + 1] - middles[index] for index in pairs])
    for index, move in zip(pairs, moves - np.median(moves, axis=0), strict=True):
        aside = float(np.linalg.norm(move))
        if aside > LARGEST_SHIFT * np.sqrt(min(areas[index], areas[index + 1]) / np.pi):
            voxel = _voxel_in(inside, grid, slice_axis, index + 1)
            yield ShapeFinding(Oddity.SHIFT, index + 1, voxel, aside)


def _places_in(inside: Inside, slice_axis: int, index: int) -> NDArray[np.int64]:
    return np.insert(np.argwhere(inside.take(index, slice_axis)), slice_axis, index, axis=1)


def _middle_mm(inside: Inside, grid: Grid, slice_axis: int, index: int) -> NDArray[np.float64]:
    return grid.to_world(_places_in(inside, slice_axis, index).mean(axis=0))


def _voxel_in(inside: Inside, grid: Grid, slice_axis: int, index: int) -> Voxel:
    return middle_voxel(_places_in(inside, slice_axis, index), grid)
