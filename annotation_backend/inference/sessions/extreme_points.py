"""Six extreme points, placed over several slices: which ends of the tumour have no point yet."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import LEAST_EXTREME_POINTS, PointMm


class End(StrEnum):
    """An end of the tumour, in the words of the hint above the pictures."""

    LEFT = "left end in the picture"
    RIGHT = "right end in the picture"
    TOP = "upper end in the picture"
    BOTTOM = "lower end in the picture"
    FIRST_SLICE = "its first slice (lowest number)"
    LAST_SLICE = "its last slice (highest number)"


_DIRECTIONS = np.array([[0, 0, -1], [0, 0, 1], [0, -1, 0], [0, 1, 0], [-1, 0, 0], [1, 0, 0]], dtype=np.float64)
"""Direction of each `End` along (slice, row, column)."""


def missing_ends(points_mm: Sequence[PointMm], plane: PicturePlane) -> list[End]:
    """The ends without a point, if each point is assigned to the end that it lies furthest towards.

    Args:
        points_mm: The extreme points so far, in RAS+ millimetres.
        plane: The plane of the case's pictures.

    Returns:
        One end for each missing point; all six while there are fewer than two points.
    """
    from scipy.optimize import linear_sum_assignment

    ends = list(End)
    if len(points_mm) >= LEAST_EXTREME_POINTS:
        return []
    if len(points_mm) < 2:
        return ends
    steps_mm = (plane.grid.spacing[plane.slice_axis], *plane.pixel_spacing_mm)
    places = plane.world_to_index(np.array(points_mm)) * steps_mm
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    middle[0] = np.median(places[:, 0])  # most points lie on one slice, which is then neither first nor last
    reach = (places - middle) @ _DIRECTIONS.T
    _, taken = linear_sum_assignment(reach, maximize=True)
    return [end for at, end in enumerate(ends) if at not in taken]
