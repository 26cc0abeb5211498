"""Findings about a region's contours: cut off, duplicate, between slices, self-crossing, or too far apart."""

from collections.abc import Iterator

from datasets.dicom_masks.contour_gaps import Gaps
from datasets.finding import Finding, Level

_EVEN_ODD = "What lies inside an even number of turns counts as outside."
_MEND = "Look at the mask; if it is wrong, mend the contours in the drawing tool and export again."


def outside_findings(cut: int, left_out: int, *, farthest_mm: float, subject: str) -> list[Finding]:
    """About contours that leave the picture, up to `farthest_mm` beyond its last pixels, or lie wholly outside."""
    if not cut and not left_out:
        return []
    message = (
        f"{cut} contour(s) reach up to {farthest_mm:.1f} mm beyond the picture and were cut at its edge; {left_out} "
        "wholly outside were left out."
    )
    remedy = "Nothing, if the tumour goes on beyond the picture; else give the whole series that it was drawn on."
    return [Finding(Level.WARNING, "contour-outside", message, remedy, subject)]


def flat_findings(left_out: int, subject: str) -> Iterator[Finding]:
    """The finding about contours whose points lie on one line."""
    if left_out:
        yield _warning(
            "contour-flat", f"{left_out} contour(s) have all points on one line.", subject, "They were left out."
        )


def duplicate_findings(repeats: int, subject: str) -> Iterator[Finding]:
    """About duplicates of contours."""
    if repeats:
        yield _warning("contour-twice", f"{repeats} contour(s) are duplicates.", subject, "Each was used once.")


def between_slices_findings(moved: int, left_out: int, *, farthest_mm: float, subject: str) -> Iterator[Finding]:
    """About contours that were moved to a slice, or left out for a nearer plane."""
    if moved or left_out:
        yield _warning(
            "contour-between-slices",
            f"{moved + left_out} contour(s) lie between slices.",
            subject,
            f"{moved} went to the image that they name or to the nearest slice, up to {farthest_mm:.2f} mm away; "
            f"{left_out} lay further from their slice than another plane and were left out.",
        )


def crossing_findings(*, crossing: int, overlaps: int, rims: int, subject: str) -> Iterator[Finding]:
    """The finding about crossing or overlapping contours, whose inside is ambiguous."""
    if crossing:
        yield _warning("contour-self-crossing", f"{crossing} contour(s) cross themselves.", subject, _EVEN_ODD)
    if rims:
        message = f"{rims} pair(s) of contours run less than a pixel apart."
        yield _warning("contour-thin-rim", message, subject, "What lies between them was taken as a rim around a hole.")
    if overlaps:
        yield _warning("contour-overlap", f"{overlaps} pair(s) of contours partly overlap.", subject, _EVEN_ODD)


def gap_findings(gaps: Gaps, step_mm: float, subject: str) -> Iterator[Finding]:
    """About slices without contours between others, `step_mm` apart."""
    if gaps.filled:
        message = (
            f"Contours lie {gaps.step * step_mm:.1f} mm apart on slices {step_mm:.1f} mm apart; {gaps.filled} "
            "slices between them were filled by shape-based interpolation."
        )
        yield Finding(Level.WARNING, "contour-filled-between", message, _MEND, subject)
    if gaps.empty or gaps.parts:
        message = (
            f"{gaps.empty} slices between contours have none, and {gaps.parts} parts stop and go on beyond an empty "
            "slice; all of it was left empty."
        )
        remedy = (
            "Nothing, if these are separate parts; else draw or interpolate the slices between in the drawing tool, "
            "and export again."
        )
        yield Finding(Level.WARNING, "contour-gap", message, remedy, subject)


def _warning(code: str, message: str, subject: str, rule: str) -> Finding:
    return Finding(Level.WARNING, code, f"{message} {rule}", _MEND, subject)
