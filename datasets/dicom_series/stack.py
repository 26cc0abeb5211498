"""A DICOM series as a stack of slices, by its headers, before a voxel is read."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.dicom.evidence import SeriesEvidence
from datasets.dicom.header import SliceHeader
from datasets.finding import Finding

SLICE_POSITION_TOLERANCE_MM = 0.1
"""How far the distance of two slices may differ from the others: far below the smallest gap between slices that
scanners make. Slices whose positions are written with one decimal may differ by more, as far as the rounding of each
coordinate goes (`position_rounding`)."""

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference between the direction cosines of two slices of one stack (about 0.06 degrees)."""

_REFERENCE_DIGITS = 10
_WRITTEN_EXACTLY = 1e-6
_HALVINGS = 100


@dataclass(frozen=True)
class DicomSeries:
    """The slices of one series and kind, sorted along the slice normal where the headers say where they lie.

    Args:
        reference: Short name for reports, from a hash of the series' UID; says nothing about the patient.
        slices: One header a slice, at least one; those of an enhanced object share a file.
        evidence: Of the first slice, with the count and spacing of them all.
        split_by: Attributes by which it differs from the other parts of its series UID (``orientation``,
            ``image_type``, ``echo_time`` and so on); () for a series that is whole.
        findings: Its faults as one series among the others. An error keeps it from being read.
    """

    reference: str
    slices: tuple[SliceHeader, ...] = field(repr=False)
    evidence: SeriesEvidence
    split_by: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

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
        """The files, each once, in the order of the slices."""
        return tuple(dict.fromkeys(header.path for header in self.slices))


def short_reference(uid: str) -> str:
    """A short name for something with a UID, for reports: the UID cannot be found from it without having it."""
    return hashlib.sha256(uid.encode()).hexdigest()[:_REFERENCE_DIGITS]


def have_positions(slices: tuple[SliceHeader, ...] | list[SliceHeader]) -> bool:
    """Whether every header says where its slice lies and how it is turned."""
    return all(header.position is not None and header.row_direction is not None for header in slices)


def along_normal(slices: tuple[SliceHeader, ...] | list[SliceHeader]) -> NDArray[np.float64]:
    """Millimetres (n,) of every slice along the normal of the first; every slice has a position."""
    return np.array([header.position for header in slices], dtype=np.float64) @ slices[0].normal


def position_rounding(slices: tuple[SliceHeader, ...] | list[SliceHeader]) -> float:
    """By how much, in millimetres, rounding may have moved a coordinate of the slices' positions: half of the last
    decimal that all of them are written with; 0 where they have more than three."""
    places = np.array([header.position for header in slices], dtype=np.float64)
    for decimals in (1, 2, 3):
        scaled = places * 10.0**decimals
        if np.abs(scaled - np.rint(scaled)).max() <= _WRITTEN_EXACTLY:
            return float(0.5 * 10.0**-decimals)
    return 0.0


def even_steps(places: NDArray[np.float64]) -> tuple[float, float]:
    """The step that fits sorted places (n,) best, and how far the worst of them lies from where even spacing puts it.

    It minimises the largest deviation, so that no rounding of a place counts for more than it is.
    """
    counts = np.arange(len(places))
    ends = float(places[-1] - places[0]) / max(1, len(places) - 1)
    reach = float(np.abs(np.diff(places) - ends).max(initial=0.0))
    low, high = ends - reach, ends + reach
    for _ in range(_HALVINGS):  # the spread around a line is convex in its slope
        one, other = low + (high - low) / 3, high - (high - low) / 3
        is_lower = np.ptp(places - one * counts) < np.ptp(places - other * counts)
        low, high = (low, other) if is_lower else (one, high)
    step = (low + high) / 2
    return step, float(np.ptp(places - step * counts)) / 2


def same_orientation(one: SliceHeader, other: SliceHeader) -> bool:
    """Whether two slices are turned alike; two that do not say count as alike."""
    if one.row_direction is None or other.row_direction is None:
        return one.row_direction is other.row_direction
    directions = [
        np.array([header.row_direction, header.column_direction], dtype=np.float64) for header in (one, other)
    ]
    return bool(np.abs(directions[0] - directions[1]).max() <= ORIENTATION_TOLERANCE)
