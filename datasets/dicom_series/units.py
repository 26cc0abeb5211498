"""What the numbers of a CT and a PET series mean: HU by each slice's own rescale, SUVbw by one factor of the series."""

from collections.abc import Sequence
from dataclasses import replace

from datasets.dicom.evidence import SeriesEvidence
from datasets.dicom.header import SliceHeader
from datasets.dicom_pixels.suv import suv_scale
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level

HOUNSFIELD = frozenset({"HU", "HU_MOD"})
"""Rescale types of a CT whose values are Hounsfield units, modified ones among them (DICOM PS3.3 C.11.1.1.2)."""


def with_units(
    evidence: SeriesEvidence, slices: Sequence[SliceHeader], *, reference: str
) -> tuple[SeriesEvidence, tuple[Finding, ...]]:
    """The evidence with the factor to SUV, and findings: an error where a CT cannot be read in HU or a PET in SUV.

    Args:
        evidence: Of the series.
        slices: Its slices, at least one.
        reference: The series' short name.
    """
    what = f"series {reference}"
    try:
        if evidence.modality == "CT":
            return evidence, _of_ct(evidence, slices, what)
        facts = [header.pet for header in slices if header.pet is not None]
        if evidence.modality != "PT" and not facts:
            return evidence, ()
        _refuse_other_objects(slices, what)
        _refuse_several_times(evidence, what)
        _refuse_no_slope(slices, what)
        scale = suv_scale(facts, what=what)
    except RejectedInput as refusal:
        return evidence, (Finding(Level.ERROR, refusal.code, refusal.message, refusal.remedy),)
    return replace(evidence, suv_factor=scale.factor, suv_from=scale.source), scale.findings


def _of_ct(evidence: SeriesEvidence, slices: Sequence[SliceHeader], what: str) -> tuple[Finding, ...]:
    if evidence.is_localizer or evidence.is_capture:
        return ()  # never read
    if not all(header.has_slope and header.has_intercept for header in slices):
        raise RejectedInput(
            "ct-no-rescale",
            f"The values of {what} cannot become HU: Rescale Slope (0028,1053) or Intercept (0028,1052) is missing.",
            remedy="Export the series again with its whole header, or give the image in HU as NIfTI.",
        )
    if evidence.units.upper() not in HOUNSFIELD:
        raise RejectedInput(
            "ct-units",
            f"The values of {what} are not in HU (Rescale Type (0028,1054)).",
            remedy="Choose another series of the examination: this is a map, as of a dual-energy CT.",
        )
    return ()


def _refuse_other_objects(slices: Sequence[SliceHeader], what: str) -> None:
    if any(header.pet is None for header in slices):
        raise RejectedInput(
            "pet-no-image",
            f"{what[0].upper()}{what[1:]} says that it is PET, but holds captures or other objects without units.",
            remedy="Choose the series that the scanner made.",
        )


def _refuse_no_slope(slices: Sequence[SliceHeader], what: str) -> None:
    if not all(header.has_slope for header in slices):
        raise RejectedInput(
            "pet-header-incomplete",
            f"The values of {what} cannot become SUV: missing: Rescale Slope (0028,1053).",
            remedy="Export the series again with its whole header, or give the image in SUV as NIfTI.",
        )


def _refuse_several_times(evidence: SeriesEvidence, what: str) -> None:
    if evidence.temporal_positions > 1:
        raise RejectedInput(
            "pet-several-times",
            f"{what[0].upper()}{what[1:]} shows one of {evidence.temporal_positions} times of the same places (gated "
            "or dynamic PET).",
            remedy="Choose the static series, or have one made.",
        )
