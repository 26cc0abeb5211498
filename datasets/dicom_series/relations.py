"""Finds series that are incomplete or duplicated: half a stack, the same stack twice, missing slices.

A series that is half of a stack looks whole: its slices are even. Only the other half, or the scanner's own counts,
give it away. Each series concerned gets the finding.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from datasets.dicom.header import SliceHeader
from datasets.dicom_series.stack import (
    SLICE_POSITION_TOLERANCE_MM,
    DicomSeries,
    along_normal,
    have_positions,
    position_rounding,
    same_orientation,
)
from datasets.finding import Finding, Level

_TIME_TOLERANCE = 0.02
_SPACING_TOLERANCE_MM = 1e-3
_GAP_TOLERANCE = 0.02
"""Largest relative difference between the distance of slices and a multiple of what the header declares."""

_RESEND_WHOLE = "Send the whole series again from the archive."


def joinable(one: DicomSeries, other: DicomSeries) -> bool:
    """Whether two series of different UIDs are two pieces of one stack.

    They show one patient and visit in one frame of reference with the same pixels and contrast, have no slice in
    common, and are evenly spaced when put together.
    """
    if one.series_uid == other.series_uid or not _same_place_and_pixels(one, other) or not _same_contrast(one, other):
        return False
    slices = (*one.slices, *other.slices)
    across = np.array([header.position for header in slices], dtype=np.float64)
    across = across - np.outer(along_normal(slices), slices[0].normal)
    gaps = np.diff(np.sort(along_normal(slices)))
    rounded = position_rounding(slices) * float(np.abs(slices[0].normal).sum())
    uneven = 2 * max(SLICE_POSITION_TOLERANCE_MM, 2 * rounded)
    is_even = gaps.min() > SLICE_POSITION_TOLERANCE_MM and np.ptp(gaps) <= uneven
    return bool(len(slices) > 2 and is_even and np.ptp(across, axis=0).max() <= 2 * SLICE_POSITION_TOLERANCE_MM)


def same_acquisition(one: DicomSeries, other: DicomSeries) -> bool:
    """Whether one series is the other's copy as classic or enhanced DICOM: same slices, pixels and timing."""
    if one.slices[0].is_frame == other.slices[0].is_frame or len(one.slices) != len(other.slices):
        return False
    if not _same_place_and_pixels(one, other) or not _same_timing(one, other):
        return False
    if one.evidence.convolution_kernel != other.evidence.convolution_kernel:
        return False
    places = [np.array([header.position for header in series.slices], dtype=np.float64) for series in (one, other)]
    return bool(np.abs(places[0] - places[1]).max() <= SLICE_POSITION_TOLERANCE_MM)


def with_relations(found: Sequence[DicomSeries]) -> tuple[DicomSeries, ...]:
    """The series with findings of their relations to each other added."""
    findings: list[list[Finding]] = [[] for _ in found]
    for first, second in _pairs_of_one_visit(found):
        for this, that in ((first, second), (second, first)):
            findings[this].extend(_relation(found[this], found[that]))
    return tuple(
        replace(series, findings=(*series.findings, *more, *_sparse(series)))
        for series, more in zip(found, findings, strict=True)
    )


def _pairs_of_one_visit(found: Sequence[DicomSeries]) -> Iterator[tuple[int, int]]:
    visits: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, series in enumerate(found):
        visits[series.patient_key, series.study_uid, series.slices[0].size].append(number)
    for numbers in visits.values():
        yield from combinations(numbers, 2)


def _relation(series: DicomSeries, other: DicomSeries) -> Iterator[Finding]:
    if joinable(series, other):
        yield _split_finding(_split_level(series, other), series, other)
    elif same_acquisition(series, other):
        yield _twice_finding(series, other)


def incomplete_numbers(headers: Sequence[SliceHeader], reference: str) -> Iterator[Finding]:
    """A warning where the scanner counted more images under a series UID than there are.

    Args:
        headers: Every slice of the UID.
        reference: The series' short name.
    """
    numbers = {header.instance_number for header in headers if header.instance_number is not None}
    counted = max((header.images_in_acquisition or 0 for header in headers), default=0)
    before = min(numbers, default=1) - 1
    if counted > len(headers):
        message = f"Expected {counted} images in series {reference}, as the scanner counted them, got {len(headers)}."
    elif 0 < before <= len(headers) and len(numbers) == len(headers):
        message = f"The images of series {reference} are not numbered from 1 but from {before + 1} on."
    else:
        return
    yield Finding(Level.WARNING, "series-incomplete", message, _RESEND_WHOLE)


def _sparse(series: DicomSeries) -> Iterator[Finding]:
    """A warning where slices lie a multiple of the declared distance apart: those between were lost.

    Some scanners declare the gap that is left between slices; a value below the slice's thickness is taken for that.
    """
    first = series.slices[0]
    declared, gap = first.declared_gap_mm or 0.0, series.evidence.spacing[2] if series.evidence.spacing else 0.0
    if not first.thickness_mm or declared < first.thickness_mm * (1 - _GAP_TOLERANCE):
        return
    times = round(gap / declared)
    if times >= 2 and abs(gap - times * declared) <= _GAP_TOLERANCE * gap:
        yield Finding(
            Level.WARNING,
            "series-incomplete",
            f"Expected slices {declared:.2f} mm apart in series {series.reference}, as its header says, got them "
            f"{gap:.2f} mm apart.",
            _RESEND_WHOLE,
        )


def _same_place_and_pixels(one: DicomSeries, other: DicomSeries) -> bool:
    first, second = one.slices[0], other.slices[0]
    if (one.patient_key, one.study_uid, first.size) != (other.patient_key, other.study_uid, second.size):
        return False
    if one.frame_of_reference_uid != other.frame_of_reference_uid or not first.spacing or not second.spacing:
        return False
    is_near = max(abs(a - b) for a, b in zip(first.spacing, second.spacing, strict=True)) <= _SPACING_TOLERANCE_MM
    return is_near and same_orientation(first, second) and have_positions(one.slices) and have_positions(other.slices)


def _same_timing(one: DicomSeries, other: DicomSeries) -> bool:
    first, second = one.evidence, other.evidence
    return all(
        _near(a, b)
        for a, b in (
            (first.repetition_time_ms, second.repetition_time_ms),
            (first.echo_time_ms, second.echo_time_ms),
            (first.inversion_time_ms, second.inversion_time_ms),
            (first.b_value, second.b_value),
        )
    )


def _same_contrast(one: DicomSeries, other: DicomSeries) -> bool:
    first, second = one.evidence, other.evidence
    words = [
        (
            (evidence.modality, evidence.units, evidence.convolution_kernel, evidence.corrected_image),
            (evidence.image_type, evidence.scanning_sequence, evidence.scan_options, bool(evidence.contrast_agent)),
        )
        for evidence in (first, second)
    ]
    return words[0] == words[1] and _near(first.flip_angle, second.flip_angle) and _same_timing(one, other)


def _near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _TIME_TOLERANCE * max(abs(one), abs(other))


def _split_level(one: DicomSeries, other: DicomSeries) -> Level:
    """An error for slices that interleave or whose numbers run on; stations of a long scan may meet end to end."""
    ranges = [(places.min(), places.max()) for places in (_places(one, one), _places(other, one))]
    interleave = max(low for low, _ in ranges) < min(high for _, high in ranges)
    numbers = [{header.instance_number for header in series.slices} for series in (one, other)]
    run_on = None not in numbers[0] | numbers[1] and not numbers[0] & numbers[1]
    return Level.ERROR if interleave or run_on else Level.WARNING


def _places(series: DicomSeries, reference: DicomSeries) -> NDArray[np.float64]:
    return np.array([header.position for header in series.slices], dtype=np.float64) @ reference.slices[0].normal


def _split_finding(level: Level, series: DicomSeries, other: DicomSeries) -> Finding:
    return Finding(
        level,
        "series-split",
        f"Series {series.reference} may be one part of a stack: its {len(series.slices)} slices and the "
        f"{len(other.slices)} of series {other.reference} fit between or beyond each other.",
        "Export the acquisition again as one series.",
    )


def _twice_finding(series: DicomSeries, other: DicomSeries) -> Finding:
    return Finding(
        Level.WARNING,
        "series-twice",
        f"Series {series.reference} and series {other.reference} are duplicates: one acquisition as classic and as "
        "enhanced DICOM.",
        "Keep one of the two.",
    )
