"""Clicks, boxes and extreme points in RAS+ millimetres, so that a prompt outlives the grid it was made on."""

from collections.abc import Iterable
from dataclasses import dataclass

PointMm = tuple[float, float, float]

LEAST_EXTREME_POINTS = 6
"""Two ends of the tumour along each of three axes."""


@dataclass(frozen=True)
class Click:
    """One click: inside the tumour (positive) or outside (negative)."""

    point_mm: PointMm
    positive: bool = True


@dataclass(frozen=True)
class Box:
    """Two opposite corners of a box whose edges run along the grid's axes; flat when drawn on one slice."""

    corner_mm: PointMm
    opposite_mm: PointMm


@dataclass(frozen=True)
class Prompts:
    """All prompts of one request, in the order they were made.

    Args:
        clicks: Positive and negative clicks.
        boxes: Boxes around the tumour.
        extreme_points: Points just inside the tumour at its ends along three axes, in any order (InteractiveNet's six).
    """

    clicks: tuple[Click, ...] = ()
    boxes: tuple[Box, ...] = ()
    extreme_points: tuple[PointMm, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is no prompt."""
        return not (self.clicks or self.boxes or self.extreme_points)


def joined(parts: Iterable[Prompts]) -> Prompts:
    """All of several prompts, in order."""
    parts = list(parts)
    return Prompts(
        tuple(click for part in parts for click in part.clicks),
        tuple(box for part in parts for box in part.boxes),
        tuple(point for part in parts for point in part.extreme_points),
    )
