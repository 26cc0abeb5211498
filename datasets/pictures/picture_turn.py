"""Pictures that another program cut in another orientation, given by the directions of their rows and columns."""

from dataclasses import replace

import numpy as np

from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import AnatomicalPlane, PicturePlane

_WORLD_AXES = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}
"""Letter to world axis and to the way along it, in RAS+."""

DIRECTIONS = tuple(
    f"{first}{last}"
    for first, (axis, _) in _WORLD_AXES.items()
    for last, (other, _) in _WORLD_AXES.items()
    if axis == other and first != last
)
"""From where to where: ``RL`` runs from the patient's right to the left."""

RADIOLOGICAL = {
    AnatomicalPlane.AXIAL: ("RL", "AP"),
    AnatomicalPlane.CORONAL: ("RL", "SI"),
    AnatomicalPlane.SAGITTAL: ("AP", "SI"),
}
"""How `PicturePlane.of` cuts: across and down."""


def turned(plane: PicturePlane, *, across: str, down: str) -> PicturePlane:
    """The same slices, with pictures in another orientation.

    Args:
        plane: How the grid would be cut.
        across: From the picture's left edge to its right one, one of `DIRECTIONS`.
        down: From its upper edge to its lower one.

    Raises:
        RejectedInput: The two are not the two directions of such slices (``picture-directions``).
    """
    column, columns_reversed = _axis_along(plane, across)
    row, rows_reversed = _axis_along(plane, down)
    if {row, column} != {plane.row_axis, plane.column_axis}:
        known = " and ".join(RADIOLOGICAL[plane.anatomical])
        raise RejectedInput(
            "picture-directions",
            f"Expected directions of {plane.anatomical} slices, such as {known}, got {across} across and {down} down.",
            remedy="Give the two directions in which the pictures run (--across, --down), or another --view.",
        )
    return replace(
        plane, row_axis=row, column_axis=column, rows_reversed=rows_reversed, columns_reversed=columns_reversed
    )


def _axis_along(plane: PicturePlane, direction: str) -> tuple[int, bool]:
    """The grid axis nearest to a direction, of those in the picture, and whether its index falls that way."""
    world, sign = _WORLD_AXES[direction[1]]
    cosines = plane.grid.affine[world, :3] / np.array(plane.grid.spacing)
    axis = int(np.argmax(np.abs(cosines)))
    return axis, bool(cosines[axis] * sign < 0)
