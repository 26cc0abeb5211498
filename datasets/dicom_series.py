"""Classic DICOM series: files grouped, sorted and checked, their grid from the headers, their voxels as a Volume.

Arrays are (i = column, j = row, k = slice). Slices are sorted along the cross product of row and column direction, so
every volume read here is right-handed (its affine's determinant is positive); an axial series runs from feet to head.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.dicom_header import SeriesEvidence, SliceHeader
from datasets.dicom_pixels import RESEND, read_pixels
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.volume import Grid, Volume

SLICE_POSITION_TOLERANCE_MM = 0.1
"""How far a slice may lie from where even spacing puts it: above the rounding of positions written with one or two
decimals, far below the smallest gap between slices that scanners make."""

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference between the direction cosines of two slices of one stack (about 0.06 degrees)."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_REFERENCE_DIGITS = 10


@dataclass(frozen=True)
class DicomSeries:
    """The files of one series and orientation, sorted along the slice normal where the headers say where they lie.

    Args:
        reference: Short name for reports, from a hash of the series' UID; says nothing about the patient.
        slices: One header a file, at least one.
        evidence: Of the first slice, with the count and spacing of them all.
    """

    reference: str
    slices: tuple[SliceHeader, ...] = field(repr=False)
    evidence: SeriesEvidence

    @property
    def patient_key(self) -> str:
        """PatientID; never to be stored or shown."""
        return self.slices[0].patient_key

    @property
    def study_uid(self) -> str:
        """Never to be stored or shown."""
        return self.slices[0].study_uid

    @property
    def series_uid(self) -> str:
        """Never to be stored or shown."""
        return self.slices[0].series_uid

    @property
    def frame_of_reference_uid(self) -> str:
        """Empty where the scanner gave none."""
        return self.slices[0].frame_of_reference_uid

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, slice by slice."""
        return tuple(header.path for header in self.slices)


def short_reference(uid: str) -> str:
    """A short name for something with a UID, for reports: the UID cannot be found from it without having it."""
    return hashlib.sha256(uid.encode()).hexdigest()[:_REFERENCE_DIGITS]


def group_series(headers: Iterable[SliceHeader]) -> tuple[DicomSeries, ...]:
    """Groups image headers by series UID and orientation, ordered by the first file of each.

    A scout of three orientations becomes three series: ``ab12cd34ef``, ``ab12cd34ef-2``, ``ab12cd34ef-3``.

    Args:
        headers: Headers in the order of the files; objects without an image are left out.
    """
    groups: dict[tuple[str, str], list[list[SliceHeader]]] = defaultdict(list)
    for header in headers:
        if header.is_image:
            _add_to_stack(groups[header.patient_key, header.series_uid], header)
    return tuple(
        _series(stack, number_in_series=index)
        for stacks in groups.values()
        for index, stack in enumerate(stacks, start=1)
    )


def series_grid(series: DicomSeries) -> Grid:
    """The grid of a series, from its headers alone.

    Raises:
        RejectedInput: ``series-multi-frame``, ``series-colour``, ``series-no-geometry``, ``series-mixed-sizes``,
            ``series-duplicate-slices``, ``series-missing-slices``, ``series-uneven-slices``, ``series-tilted`` or
            ``series-single-slice``.
    """
    for check in _CHECKS:
        check(series)
    first = series.slices[0]
    positions = _positions(series)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    spacing = first.spacing or (1.0, 1.0)
    axes = np.column_stack(
        [np.array(first.row_direction) * spacing[0], np.array(first.column_direction) * spacing[1], step]
    )
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ axes
    affine[:3, 3] = _LPS_TO_RAS @ positions[0]
    return Grid((first.size[0], first.size[1], len(positions)), affine)


def read_series(series: DicomSeries) -> Volume:
    """Reads a series' voxels as float32, each slice with its own rescale slope and intercept applied.

    Returns:
        Array (i = column, j = row, k = slice) on `series_grid`.

    Raises:
        RejectedInput: What `series_grid` refuses, a slice that cannot be read, has no pixels, or other pixels than its
            header says; the message counts slices from 1 along the normal.
    """
    grid = series_grid(series)
    data = np.empty(grid.shape, dtype=np.float32)
    for k, header in enumerate(series.slices):
        data[:, :, k] = read_pixels(header, what=f"slice {k + 1} of {len(series.slices)} of series {series.reference}")
    return Volume(data, grid)


def files_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the sorted SHA-256 of each file: names a source of several files, whatever their names and order."""
    return sha256_of_bytes("\n".join(sorted(sha256_of_file(path) for path in paths)).encode())


def _add_to_stack(stacks: list[list[SliceHeader]], header: SliceHeader) -> None:
    for stack in stacks:
        if _same_orientation(stack[0], header):
            stack.append(header)
            return
    stacks.append([header])


def _same_orientation(one: SliceHeader, other: SliceHeader) -> bool:
    if one.row_direction is None or other.row_direction is None:
        return one.row_direction is other.row_direction
    directions = [
        np.array([header.row_direction, header.column_direction], dtype=np.float64) for header in (one, other)
    ]
    return bool(np.abs(directions[0] - directions[1]).max() <= ORIENTATION_TOLERANCE)


def _series(stack: list[SliceHeader], *, number_in_series: int) -> DicomSeries:
    normal = stack[0].normal
    if all(header.position is not None for header in stack):
        stack = sorted(stack, key=lambda header: float(normal @ np.array(header.position)))
    suffix = "" if number_in_series == 1 else f"-{number_in_series}"
    first = stack[0]
    gap = _slice_gap(stack)
    spacing = (*first.spacing, gap) if first.spacing else None
    return DicomSeries(
        reference=short_reference(first.series_uid) + suffix,
        slices=tuple(stack),
        evidence=replace(
            first.evidence,
            slice_count=len(stack) if first.frames == 1 else first.frames,
            spacing=spacing,
            coverage_mm=gap * len(stack) or None,
        ),
    )


def _slice_gap(stack: list[SliceHeader]) -> float:
    """Median distance between neighbouring slices in millimetres; 0 where there is none."""
    if len(stack) < 2 or any(header.position is None for header in stack):
        return 0.0
    along = np.array([header.position for header in stack]) @ stack[0].normal
    return float(np.median(np.diff(along)))


def _positions(series: DicomSeries) -> NDArray[np.float64]:
    return np.array([header.position for header in series.slices], dtype=np.float64)


def _refuse_other_kinds(series: DicomSeries) -> None:
    if any(header.frames > 1 for header in series.slices):
        raise RejectedInput(
            "series-multi-frame",
            f"Expected one slice a file, got an enhanced multi-frame object in series {series.reference}.",
            remedy="Export the series as classic single-frame DICOM, or as NIfTI.",
        )
    if any(header.samples != 1 for header in series.slices):
        raise RejectedInput(
            "series-colour",
            f"Expected grey values, got colour pictures in series {series.reference}.",
            remedy="Choose the original series, not a screen capture.",
        )


def _refuse_no_geometry(series: DicomSeries) -> None:
    if any(header.position is None or header.row_direction is None or not header.spacing for header in series.slices):
        raise RejectedInput(
            "series-no-geometry",
            f"Expected position, orientation and pixel spacing in every slice of series {series.reference}.",
            remedy="Choose the original series; screen captures and some derived series have no geometry.",
        )


def _refuse_mixed_sizes(series: DicomSeries) -> None:
    first = series.slices[0]
    sizes = {header.size for header in series.slices}
    spacings = np.array([header.spacing for header in series.slices])
    frames = {header.frame_of_reference_uid for header in series.slices}
    if len(sizes) > 1 or np.abs(spacings - np.array(first.spacing)).max() > 1e-3 or len(frames) > 1:
        raise RejectedInput(
            "series-mixed-sizes",
            f"Expected one picture size, pixel spacing and frame of reference in series {series.reference}, "
            f"got {len(sizes)} sizes and {len(frames)} frames of reference.",
            remedy="Two acquisitions share one series number: export them as separate series.",
        )


def _refuse_wrong_steps(series: DicomSeries) -> None:
    if len(series.slices) < 2:
        raise RejectedInput(
            "series-single-slice",
            f"Expected a stack of slices, got one in series {series.reference}.",
            remedy=RESEND,
        )
    gaps = np.diff(_positions(series) @ series.slices[0].normal)
    typical = float(np.median(gaps))
    if (gaps <= SLICE_POSITION_TOLERANCE_MM).any():
        raise _step_refusal("series-duplicate-slices", series, int(gaps.argmin()) + 1, f"{gaps.min():.2f} mm")
    for index, gap in enumerate(gaps.tolist(), start=1):
        missing = round(gap / typical) - 1
        if missing >= 1 and abs(gap - (missing + 1) * typical) <= SLICE_POSITION_TOLERANCE_MM * (missing + 1):
            raise _step_refusal("series-missing-slices", series, index, f"{gap:.2f} mm, {missing} missing")
        if abs(gap - typical) > SLICE_POSITION_TOLERANCE_MM:
            raise _step_refusal("series-uneven-slices", series, index, f"{gap:.2f} mm")


def _step_refusal(code: str, series: DicomSeries, index: int, found: str) -> RejectedInput:
    return RejectedInput(
        code,
        f"Expected slices {series.evidence.spacing[2] if series.evidence.spacing else 0:.2f} mm apart in series "
        f"{series.reference}, got {found} between slices {index} and {index + 1} of {len(series.slices)}.",
        remedy="Two acquisitions may share one series number: export them as separate series."
        if code == "series-duplicate-slices"
        else RESEND,
    )


def _refuse_tilt(series: DicomSeries) -> None:
    """Slices must lie on a straight line along their normal; a gantry tilt or a bent stack is no grid."""
    positions = _positions(series)
    steps = np.linspace(positions[0], positions[-1], len(positions))
    along = series.slices[0].normal
    sideways = (positions[-1] - positions[0]) - along * (along @ (positions[-1] - positions[0]))
    if np.abs(positions - steps).max() > SLICE_POSITION_TOLERANCE_MM * 2 or (
        np.linalg.norm(sideways) > max(ORIENTATION_TOLERANCE * np.linalg.norm(positions[-1] - positions[0]), 1e-6)
    ):
        raise RejectedInput(
            "series-tilted",
            f"Expected slices stacked at right angles to their plane in series {series.reference}, "
            f"got a stack that drifts {np.linalg.norm(sideways):.2f} mm sideways.",
            remedy="Resample the tilted series onto a straight grid and give it as NIfTI.",
        )


_CHECKS: tuple[Callable[[DicomSeries], None], ...] = (
    _refuse_other_kinds,
    _refuse_no_geometry,
    _refuse_mixed_sizes,
    _refuse_wrong_steps,
    _refuse_tilt,
)
