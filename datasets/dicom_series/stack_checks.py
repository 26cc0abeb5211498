"""Checks that a stack of slices is a grid: each fault is refused by its own code, never mended silently."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from datasets.dicom_pixels.pixels import RESEND
from datasets.dicom_series.stack import (
    ORIENTATION_TOLERANCE,
    SLICE_POSITION_TOLERANCE_MM,
    DicomSeries,
    even_steps,
    position_rounding,
)
from datasets.errors import RejectedInput
from datasets.image.plausible_geometry import geometry_faults

_SMALLEST_ANGLE_SHOWN = 0.05
_NOTHING_MM = 1e-6


def positions(series: DicomSeries) -> NDArray[np.float64]:
    """Centres (n, 3) of the slices' first pixels in LPS+ millimetres."""
    return np.array([header.position for header in series.slices], dtype=np.float64)


def _refuse_other_kinds(series: DicomSeries) -> None:
    if any(header.frames > 1 for header in series.slices):
        raise RejectedInput(
            "series-multi-frame",
            f"Series {series.reference} holds a multi-frame object that is no enhanced MR, CT or PET.",
            remedy="Export the series as classic single-frame DICOM, or as NIfTI.",
        )
    if any("MOSAIC" in header.evidence.image_type for header in series.slices):
        raise RejectedInput(
            "series-mosaic",
            f"Series {series.reference} has several slices tiled in one picture (a mosaic).",
            remedy="Choose another series; mosaics hold diffusion or functional images, not anatomy.",
        )
    if any(header.samples != 1 for header in series.slices):
        raise RejectedInput(
            "series-colour",
            f"Series {series.reference} holds colour pictures, not grey values.",
            remedy="Choose the original series, not a screen capture.",
        )


def _refuse_no_geometry(series: DicomSeries) -> None:
    if any(header.position is None or header.row_direction is None or not header.spacing for header in series.slices):
        raise RejectedInput(
            "series-no-geometry",
            f"A slice of series {series.reference} lacks position, orientation or pixel spacing.",
            remedy="Choose the original series; screen captures and some derived series have no geometry.",
        )


def _refuse_absurd_geometry(series: DicomSeries) -> None:
    """Refuses implausible pixel sizes and slice distances; slices at one place are left to `_refuse_wrong_steps`."""
    places = positions(series)
    steps = np.abs(np.diff(places @ series.slices[0].normal))
    step = [float(np.median(steps))] if len(steps) and np.median(steps) > SLICE_POSITION_TOLERANCE_MM else []
    for code, message in geometry_faults([*(series.slices[0].spacing or ()), *step], places):
        remedy = "Export the series from the archive again; its place was damaged on the way."
        raise RejectedInput(f"series-{code}", f"{message[:-1]} in series {series.reference}.", remedy=remedy)


def _refuse_mixed_sizes(series: DicomSeries) -> None:
    first = series.slices[0]
    sizes = {header.size for header in series.slices}
    spacings = np.array([header.spacing for header in series.slices])
    frames = {header.frame_of_reference_uid for header in series.slices}
    if len(sizes) > 1 or np.abs(spacings - np.array(first.spacing)).max() > 1e-3 or len(frames) > 1:
        raise RejectedInput(
            "series-mixed-sizes",
            f"The slices of series {series.reference} differ in picture size, pixel spacing or frame of reference: "
            f"{len(sizes)} size(s), {len(frames)} frame(s) of reference.",
            remedy="Two acquisitions share one series number: export them as separate series.",
        )


def _refuse_wrong_steps(series: DicomSeries) -> None:
    if len(series.slices) < 2:
        raise RejectedInput(
            "series-single-slice",
            f"Series {series.reference} has a single slice, no stack.",
            remedy=RESEND,
        )
    places = positions(series) @ series.slices[0].normal
    gaps = np.diff(places)
    typical = float(np.median(gaps))
    if (gaps <= SLICE_POSITION_TOLERANCE_MM).any():
        raise _duplicate_refusal(series, int(gaps.argmin()) + 1)
    rounded = _rounded_along(series)
    if even_steps(places)[1] <= rounded:
        return
    for index, gap in enumerate(gaps.tolist(), start=1):
        missing = round(gap / typical) - 1
        tolerance = (SLICE_POSITION_TOLERANCE_MM + 2 * rounded) * (missing + 1)
        if missing >= 1 and abs(gap - (missing + 1) * typical) <= tolerance:
            raise _step_refusal("series-missing-slices", series, index, f"{gap:.2f} mm, {missing} missing")
    uneven = np.abs(gaps - typical)
    if uneven.max() > SLICE_POSITION_TOLERANCE_MM:
        worst = int(uneven.argmax())
        raise _step_refusal("series-uneven-slices", series, worst + 1, f"{gaps[worst]:.2f} mm")


def _rounded_along(series: DicomSeries) -> float:
    """How far rounding may have moved a slice's position along the normal."""
    return position_rounding(series.slices) * float(np.abs(series.slices[0].normal).sum()) + _NOTHING_MM


def _duplicate_refusal(series: DicomSeries, index: int) -> RejectedInput:
    """Two slices at one place that differ; duplicates were left out when the series was put together."""
    return RejectedInput(
        "series-duplicate-slices",
        f"Two slices of series {series.reference} lie at one place and are no copies of one another: slices {index} "
        f"and {index + 1} of {len(series.slices)}.",
        remedy="Two acquisitions may share one series number: export them as separate series.",
    )


def _step_refusal(code: str, series: DicomSeries, index: int, found: str) -> RejectedInput:
    return RejectedInput(
        code,
        f"Expected slices {series.evidence.spacing[2] if series.evidence.spacing else 0:.2f} mm apart in series "
        f"{series.reference}, got {found} between slices {index} and {index + 1} of {len(series.slices)}.",
        remedy=RESEND,
    )


def _refuse_tilt(series: DicomSeries) -> None:
    """Slices must lie on a straight line along their normal; a gantry tilt or a bent stack is no grid."""
    tilt = max((abs(header.evidence.gantry_tilt_degrees or 0.0) for header in series.slices), default=0.0)
    if series.evidence.modality == "CT" and tilt >= _SMALLEST_ANGLE_SHOWN:
        raise _tilted(f"Series {series.reference} was taken with the gantry tilted by {tilt:.1f} degrees.")
    places = positions(series)
    steps = np.linspace(places[0], places[-1], len(places))
    along = series.slices[0].normal
    sideways = (places[-1] - places[0]) - along * (along @ (places[-1] - places[0]))
    rounded = 2 * np.sqrt(3) * position_rounding(series.slices)
    straight = max(ORIENTATION_TOLERANCE * np.linalg.norm(places[-1] - places[0]), rounded, _NOTHING_MM)
    if np.abs(places - steps).max() > SLICE_POSITION_TOLERANCE_MM * 2 or np.linalg.norm(sideways) > straight:
        raise _tilted(
            f"The slices of series {series.reference} are not stacked at right angles to their plane: the stack is "
            f"{_bend(places[-1] - places[0], along)}."
        )


def _tilted(message: str) -> RejectedInput:
    remedy = "Resample the tilted series onto a straight grid and give it as NIfTI."
    return RejectedInput("series-tilted", message, remedy=remedy)


def _bend(way: NDArray[np.float64], normal: NDArray[np.float64]) -> str:
    """How a stack leaves its normal: a tilt, as of a CT gantry, has an angle; other stacks are bent."""
    angle = float(np.degrees(np.arctan2(np.linalg.norm(np.cross(way, normal)), normal @ way)))
    return f"tilted by {angle:.1f} degrees" if angle >= _SMALLEST_ANGLE_SHOWN else "bent"


STACK_CHECKS: tuple[Callable[[DicomSeries], None], ...] = (
    _refuse_other_kinds,
    _refuse_no_geometry,
    _refuse_mixed_sizes,
    _refuse_absurd_geometry,
    _refuse_wrong_steps,
    _refuse_tilt,
)
