"""DICOM series, classic and enhanced: files grouped, split and checked; a grid from the headers, voxels as a Volume.

Arrays are (i = column, j = row, k = slice). Slices are sorted along the cross product of row and column direction, so
every volume read here is right-handed (its affine's determinant is positive); an axial series runs from feet to head.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.dicom.header import SliceHeader
from datasets.dicom_pixels.pixels import read_frames, read_pixels
from datasets.dicom_series.relations import incomplete_numbers, with_relations
from datasets.dicom_series.repeated_slices import without_duplicates
from datasets.dicom_series.splitting import SeriesPart, split_series
from datasets.dicom_series.stack import (
    ORIENTATION_TOLERANCE,
    SLICE_POSITION_TOLERANCE_MM,
    DicomSeries,
    along_normal,
    even_steps,
    have_positions,
    position_rounding,
    short_reference,
)
from datasets.dicom_series.stack_checks import STACK_CHECKS, positions
from datasets.dicom_series.units import with_units
from datasets.files import sha256_of_bytes, sha256_of_file
from datasets.finding import Finding, Level
from datasets.gate import DEFAULT_BUDGET, refuse_errors, require_affordable
from datasets.image.volume import Grid, Volume

__all__ = [
    "ORIENTATION_TOLERANCE",
    "SLICE_POSITION_TOLERANCE_MM",
    "DicomSeries",
    "files_digest",
    "group_series",
    "read_series",
    "series_grid",
    "short_reference",
]

_FLOAT32_BYTES = 4
_ALIGNED_MM = 1e-6
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def group_series(headers: Iterable[SliceHeader]) -> tuple[DicomSeries, ...]:
    """Groups image headers by series UID and splits each into stacks, ordered by the first file.

    A scout of three orientations becomes three series: ``ab12cd34ef``, ``ab12cd34ef-2``, ``ab12cd34ef-3``; so do two
    echoes, magnitude and phase, or several times of one UID. `DicomSeries.split_by` names the attributes that differ,
    `DicomSeries.findings` has the faults of a series as one among the others:

    - ``series-two-patients`` (error): two patients share its UID.
    - ``series-slices-twice`` (warning): slices came again with the same pixels.
    - ``series-incomplete``: slices are missing that its sibling parts have (error), or that the scanner counted
      (warning).
    - ``series-split``: another series has the slices between or beyond its own (error, or a warning where the two may
      be two stations).
    - ``series-twice`` (warning): the same acquisition is there as classic and as enhanced DICOM.
    - ``ct-no-rescale``, ``ct-units``, ``pet-no-image``, ``pet-several-times`` and the refusals of
      `datasets.dicom_pixels.suv.suv_scale` (errors): its values cannot become HU or SUV; ``pet-dates-differ``
      (warning).

    Args:
        headers: Headers in the order of the files; objects without an image are left out.
    """
    groups: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        if header.is_image:
            groups[header.series_uid].extend(header.frame_headers or (header,))
    return with_relations([series for group in groups.values() for series in _series_of(group)])


def series_grid(series: DicomSeries) -> Grid:
    """The grid of a series, from its headers alone.

    Raises:
        RejectedInput: ``series-multi-frame``, ``series-colour``, ``series-no-geometry``, ``series-mixed-sizes``,
            ``series-duplicate-slices``, ``series-missing-slices``, ``series-uneven-slices``, ``series-tilted``,
            ``series-mosaic``, ``series-single-slice`` or ``declared-too-large``; or the first error among the series'
            findings.
    """
    for check in STACK_CHECKS:
        check(series)
    refuse_errors(series.findings)
    columns, rows = series.slices[0].size
    voxels = columns * rows * len(series.slices)
    require_affordable(voxels * _FLOAT32_BYTES, compressed_bytes=None, budget=DEFAULT_BUDGET)
    first = series.slices[0]
    places = positions(series)
    step = _step(series)
    spacing = first.spacing or (1.0, 1.0)
    axes = np.column_stack(
        [np.array(first.row_direction) * spacing[0], np.array(first.column_direction) * spacing[1], step]
    )
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ axes
    affine[:3, 3] = _LPS_TO_RAS @ places[0]
    return Grid((first.size[0], first.size[1], len(places)), affine)


def _step(series: DicomSeries) -> NDArray[np.float64]:
    """The way (3,) from slice to slice: along the normal where positions leave it by no more than their rounding."""
    places, normal = positions(series), series.slices[0].normal
    step = (places[-1] - places[0]) / (len(places) - 1)
    sideways = np.linalg.norm(step - normal * (normal @ step))
    if _ALIGNED_MM < sideways * (len(places) - 1) <= 2 * np.sqrt(3) * position_rounding(series.slices):
        return np.asarray(normal * even_steps(places @ normal)[0], dtype=np.float64)
    return np.asarray(step, dtype=np.float64)


def read_series(series: DicomSeries) -> Volume:
    """Reads a series' voxels as float32, each slice with its own rescale slope and intercept applied; PET in SUVbw.

    Returns:
        Array (i = column, j = row, k = slice) on `series_grid`.

    Raises:
        RejectedInput: What `series_grid` refuses, a slice that cannot be read, has no pixels, or other pixels than its
            header says; the message counts slices from 1 along the normal.
    """
    grid = series_grid(series)
    data = np.empty(grid.shape, dtype=np.float32)
    of_file: dict[Path, list[int]] = defaultdict(list)
    for k, header in enumerate(series.slices):
        of_file[header.path].append(k)
    for slices in of_file.values():
        what = f"slice {slices[0] + 1} of {len(series.slices)} of series {series.reference}"
        if series.slices[slices[0]].is_frame:
            frames = read_frames([series.slices[k] for k in slices], what=what)
            data[:, :, slices] = np.moveaxis(frames, 0, -1)
        else:
            data[:, :, slices[0]] = read_pixels(series.slices[slices[0]], what=what)
    if series.evidence.suv_factor is not None:
        data *= np.float32(series.evidence.suv_factor)
    return Volume(data, grid)


def files_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the sorted SHA-256 of each file: names a source of several files, whatever their names and order."""
    return sha256_of_bytes("\n".join(sorted(sha256_of_file(path) for path in paths)).encode())


def _series_of(headers: list[SliceHeader]) -> list[DicomSeries]:
    """The series that the slices of one UID make up: patient by patient, part by part."""
    of_patient: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        of_patient[header.patient_key].append(header)
    parts = [part for slices in of_patient.values() for part in split_series(slices)]
    found = [_series(part, number_in_series=number) for number, part in enumerate(parts, start=1)]
    if len(of_patient) > 1:
        return [replace(series, findings=(_two_patients(series), *series.findings)) for series in found]
    used = [header for series in found for header in series.slices]
    counted = list(incomplete_numbers(used, found[0].reference))
    return [replace(series, findings=(*series.findings, *counted)) for series in found]


def _series(part: SeriesPart, *, number_in_series: int) -> DicomSeries:
    stack = part.slices
    if have_positions(stack):
        order = np.argsort(along_normal(stack), kind="stable")
        stack = [stack[index] for index in order.tolist()]
    stack, copies = without_duplicates(stack)
    first = stack[0]
    gap = _slice_gap(stack)
    reference = short_reference(first.series_uid) + ("" if number_in_series == 1 else f"-{number_in_series}")
    evidence = replace(
        first.evidence,
        slice_count=len(stack) if first.frames == 1 else first.frames,
        spacing=(*first.spacing, gap) if first.spacing else None,
        coverage_mm=gap * len(stack) or None,
        number_of_echoes=part.echoes,
        temporal_positions=max(part.times, first.evidence.temporal_positions),
    )
    evidence, of_units = with_units(evidence, stack, reference=reference)
    return DicomSeries(
        reference=reference,
        slices=tuple(stack),
        evidence=evidence,
        split_by=part.split_by,
        findings=(*part.findings, *_copies_finding(copies, reference), *of_units),
    )


def _copies_finding(copies: int, reference: str) -> Iterator[Finding]:
    if copies:
        yield Finding(
            Level.WARNING,
            "series-slices-twice",
            f"{copies} slice(s) of series {reference} are duplicates, at the same place with the same pixels; each "
            "was used once.",
            "Nothing, if the images are right.",
        )


def _slice_gap(stack: list[SliceHeader]) -> float:
    """Median distance between neighbouring slices in millimetres; 0 where there is none."""
    if len(stack) < 2 or not have_positions(stack):
        return 0.0
    return float(np.median(np.diff(along_normal(stack))))


def _two_patients(series: DicomSeries) -> Finding:
    return Finding(
        Level.ERROR,
        "series-two-patients",
        f"Two patients share the UID of series {series.reference}.",
        "Find out whose images they are, and export each patient's series again.",
    )
