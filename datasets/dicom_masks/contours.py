"""Rasterises closed planar contours: several a slice, holes, keyholes, contours between slices and crossing ones.

A pixel is inside when its centre is (`datasets.dicom_masks.polygon_fill`). Contours of one region in one plane combine
by exclusive or, so that a contour within a contour is a hole; one that enters a hole through a channel (the keyhole
technique of DICOM's ``CLOSED_PLANAR``) gives the same pixels. Two outlines that run along one another are one
(`datasets.dicom_masks.contour_repeats`).

A contour belongs to the slice whose image it names. One that names none belongs to the nearest slice; half-way belongs
to the upper one, so that contours drawn on slices shifted by half a step keep their number. Where several planes fall
to one slice, as when a region was drawn on a finer reformation, the nearest plane is taken and the others are left out.
Slices between contours drawn on every n-th slice are interpolated (`datasets.dicom_masks.contour_gaps`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.dicom_masks.contour_findings import (
    between_slices_findings,
    crossing_findings,
    duplicate_findings,
    flat_findings,
    gap_findings,
    outside_findings,
)
from datasets.dicom_masks.contour_gaps import fill_gaps
from datasets.dicom_masks.contour_repeats import (
    RIM_PIXELS,
    close_pairs,
    distinct,
    is_flat,
    once_round,
    repeat_tolerance,
)
from datasets.dicom_masks.polygon_crossing import crosses_itself
from datasets.dicom_masks.polygon_fill import polygon_mask
from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.image.mask import Inside
from datasets.image.volume import Grid, Points

CONTOUR_PLANE_TOLERANCE = 0.1
"""How far a contour's points may lie from its plane, and the plane from a slice to be on it, in slice steps: above the
rounding of coordinates to a tenth of a millimetre, far below the half step of a contour drawn between two slices."""

SAME_PLANE_TOLERANCE = 0.05
"""How far two contours of one plane may lie apart, in slice steps: a tenth of it is usual where coordinates are
rounded, and a reformation of a tenth of the slice distance still has planes of its own."""

NAMED_IMAGE_TOLERANCE = 1.0 + CONTOUR_PLANE_TOLERANCE
"""How far a contour may lie from the image that it names, in slice steps: contours are drawn at a slice's edge or in
its middle, but not beyond the next one."""

OUTSIDE_TOLERANCE_PIXELS = 1.0
"""How far a contour may leave the picture without a finding: drawing tools place points on the outer edge of the last
pixel."""

_HALF_PIXEL = 0.5
_MOST_OVERLAPS_LOOKED_AT = 2_000


@dataclass(frozen=True)
class DrawnContour:
    """A closed contour as it was drawn.

    Args:
        points: (n, 3) RAS+ millimetres, n ≥ 3, closed from the last point to the first.
        slice_index: Of the slice whose image it names; None where it names none of the series.
    """

    points: Points
    slice_index: int | None = None


@dataclass(frozen=True)
class _Contour:
    """A contour in voxel coordinates: (n, 2) in plane, the slice coordinate of its plane, and its slice."""

    points: Points
    height: float
    k: int


@dataclass(frozen=True)
class _Patch:
    """The box of pixels from `low` up to `high` (i, j) that a contour lies in, and which of them are inside."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    inside: Inside

    def within(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> Inside:
        """The part of `inside` from `low` up to `high`."""
        first, last = low - self.low, high - self.low
        return self.inside[first[0] : last[0], first[1] : last[1]]


def fill_contours(
    contours: Sequence[DrawnContour], grid: Grid, *, subject: str
) -> tuple[NDArray[np.uint8], list[Finding]]:
    """A region's contours as a mask.

    Args:
        contours: At least one.
        grid: The series' grid.
        subject: What findings call the region.

    Returns:
        Array of `grid.shape`, 1 inside; and warnings: ``contour-outside`` (cut at the picture's edge),
        ``contour-flat`` (all points on one line), ``contour-twice``, ``contour-between-slices``, ``contour-thin-rim``,
        ``contour-self-crossing``, ``contour-overlap``, ``contour-filled-between``, ``contour-gap``.

    Raises:
        RejectedInput: A contour that is not parallel to the slices (``contour-off-slice``) or lies elsewhere than the
            image that it names (``contour-image-differs``), or a region wholly outside the grid (``contour-outside``)
            or without an area (``contour-flat``).
    """
    placed = [_placed(contour, grid) for contour in contours]
    enclosing = [contour for contour in placed if not is_flat(contour.points * grid.spacing[:2])]
    if not enclosing:
        raise _no_area()
    there, findings = _in_picture(enclosing, grid, subject)
    findings += flat_findings(len(placed) - len(enclosing), subject)
    nearest = _nearest_planes(there)
    once = {k: _without_repeats(plane, grid) for k, plane in nearest.items()}
    findings += duplicate_findings(len(list(_each(nearest))) - len(list(_each(once))), subject)
    data = np.zeros(grid.shape, dtype=np.uint8)
    overlaps = sum(_draw(data, k, plane) for k, plane in once.items())
    findings += _between(there, nearest, grid=grid, subject=subject)
    findings += crossing_findings(
        crossing=sum(crosses_itself(contour.points) for contour in _each(once)),
        overlaps=overlaps,
        rims=sum(_thin_rims(plane, grid) for plane in once.values()),
        subject=subject,
    )
    heights = {k: plane[0].height for k, plane in once.items()}
    findings += gap_findings(fill_gaps(data, heights, grid.spacing[:2]), grid.spacing[2], subject)
    return data, findings


def _no_area() -> RejectedInput:
    return RejectedInput(
        "contour-flat",
        "The contours enclose no area: the points of each lie on one line.",
        remedy="Draw the region in the drawing tool, and export the structure set again.",
    )


def _each(planes: dict[int, list[_Contour]]) -> Iterator[_Contour]:
    for plane in planes.values():
        yield from plane


def _draw(data: NDArray[np.uint8], k: int, plane: list[_Contour]) -> int:
    """Fills one slice; how many times two of its contours partly overlap."""
    patches = [_patch(contour.points, (data.shape[0], data.shape[1])) for contour in plane]
    for patch in patches:
        data[patch.low[0] : patch.high[0], patch.low[1] : patch.high[1], k] ^= patch.inside
    return _count_overlaps(patches)


def _placed(contour: DrawnContour, grid: Grid) -> _Contour:
    voxels = grid.to_voxel(contour.points)
    height = float(np.median(voxels[:, 2]))
    off = float(np.abs(voxels[:, 2] - height).max())
    if off > CONTOUR_PLANE_TOLERANCE:
        raise RejectedInput(
            "contour-off-slice",
            f"A contour is not parallel to the slices: its points lie up to {off * grid.spacing[2]:.2f} mm from its "
            "plane.",
            remedy="Export the structure set on the slices of its own series.",
        )
    if contour.slice_index is None:
        return _Contour(voxels[:, :2], height, _slice_of(height))
    return _on_its_image(_Contour(voxels[:, :2], height, contour.slice_index), grid)


def _on_its_image(contour: _Contour, grid: Grid) -> _Contour:
    """The contour of a named image, in the image's own plane where no more than rounding lies between."""
    apart = abs(contour.height - contour.k)
    if apart > NAMED_IMAGE_TOLERANCE:
        raise RejectedInput(
            "contour-image-differs",
            f"A contour lies {apart * grid.spacing[2]:.2f} mm from the image that it names.",
            remedy="Find out in the drawing tool which slice it was drawn on, and export the structure set again.",
        )
    return replace(contour, height=float(contour.k)) if apart <= CONTOUR_PLANE_TOLERANCE else contour


def _slice_of(height: float) -> int:
    """The nearest slice; the upper one half-way (to a millionth of a step, whatever the rounding)."""
    return int(np.floor(height + 0.5 + 1e-6))


def _in_picture(contours: list[_Contour], grid: Grid, subject: str) -> tuple[list[_Contour], list[Finding]]:
    """The contours that lie in the series at least in part, and how far they leave it."""
    last = np.array(grid.shape[:2]) - 1
    there = [contour for contour in contours if 0 <= contour.k < grid.shape[2] and _meets(contour.points, last)]
    if not there:
        raise RejectedInput(
            "contour-outside",
            f"No contour lies within the series ({grid.describe()}).",
            remedy="Give the whole series that the structure set was drawn on.",
        )
    beyond = [_beyond(contour.points, last) for contour in there]
    cut = [place for place in beyond if place.max() > OUTSIDE_TOLERANCE_PIXELS]
    farthest = max((float((place * grid.spacing[:2]).max()) for place in cut), default=0.0)
    return there, outside_findings(len(cut), len(contours) - len(there), farthest_mm=farthest, subject=subject)


def _meets(points: Points, last: NDArray[np.int64]) -> bool:
    """Whether a contour's box and the picture, up to its pixels' outer edges, have something in common."""
    return bool((points.max(axis=0) >= -_HALF_PIXEL).all() and (points.min(axis=0) <= last + _HALF_PIXEL).all())


def _beyond(points: Points, last: NDArray[np.int64]) -> Points:
    """Pixels (2,) along i and j that a contour reaches beyond the centres of the picture's outermost pixels."""
    return np.maximum(np.maximum(-points.min(axis=0), points.max(axis=0) - last), 0.0)


def _nearest_planes(contours: list[_Contour]) -> dict[int, list[_Contour]]:
    """The contours of each slice: those of the plane that lies nearest to it."""
    by_slice: dict[int, list[_Contour]] = {}
    for contour in contours:
        by_slice.setdefault(contour.k, []).append(contour)
    nearest = {}
    for k, candidates in sorted(by_slice.items()):
        _, height = min((abs(contour.height - k), contour.height) for contour in candidates)
        nearest[k] = [contour for contour in candidates if abs(contour.height - height) <= SAME_PLANE_TOLERANCE]
    return nearest


def _without_repeats(plane: list[_Contour], grid: Grid) -> list[_Contour]:
    """Each contour of a plane once, and once round."""
    spacing = np.array(grid.spacing[:2])
    tolerance = repeat_tolerance(grid.spacing[:2])
    outlines = [once_round(contour.points * spacing, tolerance) for contour in plane]
    return [replace(plane[index], points=outlines[index] / spacing) for index in distinct(outlines, tolerance)]


def _thin_rims(plane: list[_Contour], grid: Grid) -> int:
    """Pairs of contours that run along one another less than a pixel apart, which is a rim or a second drawing."""
    return close_pairs([contour.points * grid.spacing[:2] for contour in plane], RIM_PIXELS * min(grid.spacing[:2]))


def _between(
    contours: list[_Contour], nearest: dict[int, list[_Contour]], *, grid: Grid, subject: str
) -> Iterable[Finding]:
    distances = [abs(contour.height - k) for k, plane in nearest.items() for contour in plane]
    moved = sum(distance > CONTOUR_PLANE_TOLERANCE for distance in distances)
    farthest = max(distances) * grid.spacing[2]
    return between_slices_findings(moved, len(contours) - len(distances), farthest_mm=farthest, subject=subject)


def _patch(points: Points, shape: tuple[int, int]) -> _Patch:
    low = np.clip(np.floor(points.min(axis=0)), 0, shape).astype(np.int64)
    high = np.clip(np.floor(points.max(axis=0)) + 1, low, shape).astype(np.int64)
    return _Patch(low, high, polygon_mask(points - low, (int(high[0] - low[0]), int(high[1] - low[1]))))


def _count_overlaps(patches: list[_Patch]) -> int:
    """Pairs of contours of one plane that share pixels although neither lies within the other.

    Beyond `_MOST_OVERLAPS_LOOKED_AT` pairs whose boxes meet, which nobody draws, pairs count without a check.
    """
    looked_at = overlaps = 0
    for place, one in enumerate(patches):
        for other in patches[:place]:
            low, high = np.maximum(one.low, other.low), np.minimum(one.high, other.high)
            if (low < high).all():
                looked_at += 1
                overlaps += looked_at > _MOST_OVERLAPS_LOOKED_AT or _overlap(one, other, low=low, high=high)
    return overlaps


def _overlap(one: _Patch, other: _Patch, *, low: NDArray[np.int64], high: NDArray[np.int64]) -> bool:
    shared = np.count_nonzero(one.within(low, high) & other.within(low, high))
    return bool(0 < shared < min(np.count_nonzero(one.inside), np.count_nonzero(other.inside)))
