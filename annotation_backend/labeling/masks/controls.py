"""Names of the labelling interface's controls and labels, as they come back in every region."""

from enum import StrEnum

IMAGE = "image"
COMPANION = "companion"
BRUSH = "brush"
BITMASK = "bitmask"
SMART_POINT = "smart_point"
SMART_BOX = "smart_box"
EXTREME_POINT = SESSION = SMART_POINT
HINT = "hint"

EXTREME_LABEL = "Extreme point"
UNDO_LABEL = "Undo last prompt"
START_OVER_LABEL = "Start over"
"""All of them on the control of the points: each control would bring a smart point tool of its own, all with the same
picture, and a label does nothing while another control's tool is chosen."""


def point_label(label: str) -> str:
    """The label of the points by which a model is asked for a label."""
    return f"{label} point"


def box_label(label: str) -> str:
    """The label of the boxes by which a model is asked for a label."""
    return f"{label} box"


def extreme_label(label: str) -> str:
    """The label of the extreme points of a label that is not the first that prompts draw."""
    return f"{label} extreme point"


class MaskFormat(StrEnum):
    """The format that annotators draw and predictions are written in; each value is the name of its control.

    Masks of both formats are read always.
    """

    BRUSH = "brush"
    BITMASK = "bitmask"
