"""DICOM SEG: the segments of one object become masks on the grid of the series that they were drawn on.

Frames are matched to slices by where they lie, never by their order: an object may leave out empty frames, hold its
segments one behind the other, and turn or crop its pictures. Binary, fractional and label map segmentations are read.

Source: DICOM PS3.3 A.51 (Segmentation), A.92 (Label Map Segmentation), C.8.20.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from datasets.dicom.enhanced import MOST_FRAMES, group_item
from datasets.dicom.file import number, numbers, read_dataset, text, values
from datasets.dicom.header import SliceHeader, read_header
from datasets.dicom.sop_classes import LABEL_MAP_SEGMENTATION
from datasets.dicom_masks.mask_set import MaskSet, unused_name
from datasets.dicom_pixels.pixels import read_stored_frames
from datasets.dicom_series.series import DicomSeries, series_grid
from datasets.dicom_series.stack_checks import positions
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.gate import DEFAULT_BUDGET, require_affordable
from datasets.image.grid_difference import towards
from datasets.image.lattice import drift_findings, lattice_of
from datasets.image.mask import Inside, Mask
from datasets.image.volume import GRID_TOLERANCE_MM, Grid

FRACTION_INSIDE = 0.5
"""A voxel of a fractional segmentation is inside from this share, or probability, of the largest value."""

FRAME_TOLERANCE_VOXELS = 0.1
"""How far a pixel of a segmentation may lie from the voxel it belongs to where the frame stands at a slice's own
position, which scanners round: far below the half voxel from which it might belong to another. Elsewhere the tolerance
of `datasets.image.lattice` holds."""

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_EXPORT_ON_SERIES = "Export the segmentation on the slices of its own series."


@dataclass(frozen=True)
class _Placement:
    """Where a frame's pixels lie on the grid: the voxel (3,) of the first, and the steps to the next in a row and
    to the next row, each one voxel along one axis; and how far they lie from them at the most."""

    origin: NDArray[np.int64]
    column_step: NDArray[np.int64]
    row_step: NDArray[np.int64]
    drift_mm: float

    def voxels(self, inside: Inside) -> tuple[NDArray[np.int64], ...]:
        """Voxel indices of the pixels (column, row) that are inside."""
        columns, rows = np.nonzero(inside)
        found = self.origin + columns[:, None] * self.column_step + rows[:, None] * self.row_step
        return tuple(found.T)


def read_segment_set(path: Path, series: DicomSeries) -> MaskSet:
    """Reads every segment as a mask on the series' grid, with findings.

    Segments that overlap stay masks of their own. A slice without a frame is empty; a segment without a voxel is left
    out. Names are the segment's label, or the meaning of its property type; a second of one name gets `` (2)``.

    Args:
        path: The segmentation.
        series: The series it was drawn on, and no other.

    Returns:
        Masks on `series_grid`, and warnings: ``seg-fractional`` (cut at `FRACTION_INSIDE`), ``seg-segment-empty``,
        ``seg-by-position`` (it names neither series nor slices), ``seg-background`` (a segment with the background's
        number, which is no region). For information ``grid-drift`` (its pixels lie a little aside).

    Raises:
        RejectedInput: Not a SEG (``seg-other-object``), of another series (``seg-other-series``) or frame of reference
            (``seg-other-frame``), without positions (``seg-no-geometry``), on other pixels or slices
            (``seg-other-grid``), with two frames for one slice of a segment (``seg-frame-twice``), of more or other
            frames than it describes (``seg-frames``), what a budget refuses, or what `series_grid` refuses.
    """
    dataset = read_dataset(path)
    header = read_header(path)
    findings = list(_refuse_other_source(header, dataset, series))
    grid = series_grid(series)
    groups = _frame_groups(header, dataset)
    places = positions(series)
    placements = [_placement(frame, header.size, grid, places) for frame in groups]
    findings.extend(drift_findings(max((one.drift_mm for one in placements), default=0.0), "The segmentation"))
    frames = _stored(path, header, dataset, len(groups))
    largest = _largest_value(dataset)
    if largest is not None:
        findings.append(_fractional())
    masks: dict[str, Mask] = {}
    for segment in values(dataset, "SegmentSequence"):
        key = int(number(segment, "SegmentNumber") or 0)
        if key in _background(dataset):
            findings.extend(_no_segment(header))
            continue
        data = np.zeros(grid.shape, dtype=np.uint8)
        for inside, placement in _inside(key, header=header, groups=groups, frames=frames, placements=placements,
                                         largest=largest):  # fmt: skip
            data[placement.voxels(inside)] = 1
        if not data.any():
            findings.append(_empty(key))
            continue
        name = unused_name(_name(segment, key), masks)
        masks[name] = Mask(data, grid, {1: name})
    return MaskSet(masks, tuple(findings))


FrameGroups = list[tuple[Dataset, Dataset]]


def _inside(
    key: int,
    *,
    header: SliceHeader,
    groups: FrameGroups,
    frames: NDArray[np.integer],
    placements: Sequence[_Placement],
    largest: float | None,
) -> Iterator[tuple[Inside, _Placement]]:
    """Pixels inside a segment, frame by frame, and where they lie."""
    if header.sop_class_uid == LABEL_MAP_SEGMENTATION:  # then each frame holds the numbers of all segments
        yield from ((frame == key, placement) for frame, placement in zip(frames, placements, strict=True))
        return
    least = 1 if largest is None else FRACTION_INSIDE * largest
    taken: dict[tuple[int, ...], int] = defaultdict(int)
    for group, frame, placement in zip(groups, frames, placements, strict=True):
        if int(number(group_item(group, "SegmentIdentificationSequence"), "ReferencedSegmentNumber") or 0) != key:
            continue
        place = tuple(placement.origin.tolist())
        taken[place] += 1
        if taken[place] > 1:
            raise RejectedInput(
                "seg-frame-twice",
                "Two frames of one segment lie on the same slice.",
                remedy="Export the segmentation again.",
            )
        yield frame >= least, placement


def _refuse_other_source(header: SliceHeader, dataset: Dataset, series: DicomSeries) -> Iterator[Finding]:
    if not header.is_segmentation:
        raise RejectedInput(
            "seg-other-object",
            "The DICOM object is no segmentation (SEG).",
            remedy="Give the segmentation that was drawn on the series.",
        )
    frame = header.frame_of_reference_uid
    if frame and series.frame_of_reference_uid and frame != series.frame_of_reference_uid:
        raise RejectedInput(
            "seg-other-frame",
            f"The segmentation lies in another frame of reference than series {series.reference}.",
            remedy="Give the segmentation of this series.",
        )
    known = {uid for slice_header in series.slices for uid in slice_header.uids}
    sources = set(_source_images(dataset))
    if header.referenced_series and series.series_uid in header.referenced_series:
        return
    if header.referenced_series or (sources and not sources & known) or not frame:
        raise RejectedInput(
            "seg-other-series",
            f"The segmentation refers to another series than {series.reference}, or to none.",
            remedy="Give the series that it was drawn on, or the segmentation of this series.",
        )
    if not sources:
        yield Finding(
            Level.WARNING,
            "seg-by-position",
            f"The segmentation names no series; it lies on the slices of series {series.reference}.",
            "Make sure that it was drawn on this series.",
        )


def _source_images(dataset: Dataset) -> Iterator[str]:
    """UIDs of the images that single frames were derived from."""
    shared = values(dataset, "SharedFunctionalGroupsSequence")
    for group in (*shared, *values(dataset, "PerFrameFunctionalGroupsSequence")):
        for derivation in values(group, "DerivationImageSequence"):
            for source in values(derivation, "SourceImageSequence"):
                yield text(source, "ReferencedSOPInstanceUID")


def _frame_groups(header: SliceHeader, dataset: Dataset) -> FrameGroups:
    shared = next(iter(values(dataset, "SharedFunctionalGroupsSequence")), Dataset())
    frames = values(dataset, "PerFrameFunctionalGroupsSequence")
    if len(frames) != header.frames or header.frames > MOST_FRAMES:
        raise RejectedInput(
            "seg-frames",
            f"Expected functional groups for all frames of a segmentation, at most {MOST_FRAMES}, got {len(frames)} "
            f"for {header.frames} frames.",
            remedy="Export the segmentation again.",
        )
    return [(shared, frame) for frame in frames]


def _placement(
    groups: tuple[Dataset, Dataset], size: tuple[int, int], grid: Grid, places: NDArray[np.float64]
) -> _Placement:
    position = numbers(group_item(groups, "PlanePositionSequence"), "ImagePositionPatient", count=3)
    orientation = numbers(group_item(groups, "PlaneOrientationSequence"), "ImageOrientationPatient", count=6)
    spacing = numbers(group_item(groups, "PixelMeasuresSequence"), "PixelSpacing", count=2)
    if position is None or orientation is None or spacing is None:
        raise RejectedInput(
            "seg-no-geometry",
            "A frame of the segmentation lacks position, orientation or pixel spacing.",
            remedy=_EXPORT_ON_SERIES,
        )
    first = np.array(position)
    corners = np.array(
        [first, first + np.array(orientation[:3]) * spacing[1], first + np.array(orientation[3:]) * spacing[0]]
    )
    corners = corners * _LPS_TO_RAS
    origin, beside, below = grid.to_voxel(corners)
    is_at_slice = bool((np.abs(places - first).max(axis=1) <= GRID_TOLERANCE_MM).any())
    found = _checked(origin, np.column_stack([beside - origin, below - origin]), size=size, grid=grid)
    if is_at_slice or found.drift_mm <= GRID_TOLERANCE_MM or lattice_of(grid, _frame_grid(corners, size, grid)):
        return found
    aside = origin - found.origin
    raise _other_grid(grid, aside @ grid.affine[:3, :3].T)


def _frame_grid(corners: NDArray[np.float64], size: tuple[int, int], grid: Grid) -> Grid:
    """A frame's grid of one slice, as thick as the voxels of the series that way."""
    affine = np.eye(4)
    affine[:3, 3], affine[:3, 0], affine[:3, 1] = corners[0], corners[1] - corners[0], corners[2] - corners[0]
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    normal /= np.linalg.norm(normal)
    affine[:3, 2] = normal * grid.spacing[int(np.abs(normal @ (grid.affine[:3, :3] / grid.spacing)).argmax())]
    return Grid((*size, 1), affine)


def _checked(
    origin: NDArray[np.float64], steps: NDArray[np.float64], *, size: tuple[int, int], grid: Grid
) -> _Placement:
    """The placement in whole voxels, where every corner of the frame lies near one."""
    far = np.array([[0, 0], [size[0] - 1, 0], [0, size[1] - 1], [size[0] - 1, size[1] - 1]])
    whole_origin, whole_steps = np.rint(origin), np.rint(steps)
    corners = origin + far @ steps.T
    whole = whole_origin + far @ whole_steps.T
    one_axis = (np.abs(whole_steps).sum(axis=0) == 1).all() and (np.abs(whole_steps).sum(axis=1) <= 1).all()
    is_near = np.abs(corners - whole).max() <= FRAME_TOLERANCE_VOXELS
    if not one_axis or not is_near or (whole < 0).any() or (whole > np.array(grid.shape) - 1).any():
        aside = (corners - np.clip(whole, 0, np.array(grid.shape) - 1)) @ grid.affine[:3, :3].T
        raise _other_grid(grid, aside[np.linalg.norm(aside, axis=1).argmax()])
    along = whole_steps.astype(np.int64)
    drift_mm = float(np.linalg.norm((corners - whole) @ grid.affine[:3, :3].T, axis=1).max())
    return _Placement(whole_origin.astype(np.int64), along[:, 0], along[:, 1], drift_mm)


def _other_grid(grid: Grid, aside: NDArray[np.float64]) -> RejectedInput:
    return RejectedInput(
        "seg-other-grid",
        f"A frame of the segmentation does not lie on the voxels of the series ({grid.describe()}): one corner is "
        f"{towards(aside)} of the nearest.",
        remedy=_EXPORT_ON_SERIES,
    )


def _stored(path: Path, header: SliceHeader, dataset: Dataset, count: int) -> NDArray[np.integer]:
    width = max(int(number(dataset, "BitsAllocated") or 8), 8) // 8
    columns, rows = header.size
    require_affordable(count * columns * rows * width, compressed_bytes=None, budget=DEFAULT_BUDGET)
    frames = read_stored_frames(path, range(count), what="the segmentation")
    if frames.shape != (count, columns, rows):
        raise RejectedInput(
            "seg-frames",
            f"The segmentation's pixels are not the {count} frames of {columns} x {rows} grey pixels that its "
            "header says.",
            remedy="Export the segmentation again.",
        )
    return frames


def _largest_value(dataset: Dataset) -> float | None:
    """The value of a voxel wholly inside a fractional segmentation; None for other kinds."""
    if text(dataset, "SegmentationType") != "FRACTIONAL":
        return None
    return number(dataset, "MaximumFractionalValue") or 255.0


def _background(dataset: Dataset) -> set[int]:
    """The values that are no segment: 0, and a label map's padding value."""
    return {0, int(number(dataset, "PixelPaddingValue") or 0)}


def _no_segment(header: SliceHeader) -> Iterator[Finding]:
    """Label maps describe their background among the segments; in others the number 0 stands for nothing."""
    if header.sop_class_uid != LABEL_MAP_SEGMENTATION:
        yield Finding(
            Level.WARNING,
            "seg-background",
            "A segment has the number of the background; it was left out.",
            "Nothing, if it is the background; else number the segments from 1 and export the segmentation again.",
        )


def _name(segment: Dataset, key: int) -> str:
    meaning = next(iter(values(segment, "SegmentedPropertyTypeCodeSequence")), Dataset())
    return text(segment, "SegmentLabel") or text(meaning, "CodeMeaning") or f"segment {key}"


def _fractional() -> Finding:
    return Finding(
        Level.WARNING,
        "seg-fractional",
        f"The segmentation is fractional, not binary; it was thresholded at {FRACTION_INSIDE:g} of its largest value.",
        "Look at the masks; if the cut is wrong, export the segmentation as binary.",
    )


def _empty(key: int) -> Finding:
    return Finding(
        Level.WARNING,
        "seg-segment-empty",
        "A segment has no voxel; it was left out.",
        "Nothing, if nothing was drawn there; else export the segmentation again.",
        f"segment {key}",
    )
