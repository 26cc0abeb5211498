"""The annotator's actions in the editor, and the seconds that each takes.

Prompts, strokes, undos, accepted suggestions and cleared slices count as actions. Opening and submitting a slice cost
seconds but are counted apart: drawing by hand needs both as often. A change of tool or brush size is a key press that
costs seconds and is no action; it is the same for both.

Source of the seconds: the Keystroke-Level Model (Card, Moran and Newell, Comm ACM 1980;23:396): K 0.28 s (a key),
P 1.1 s (pointing), B 0.1 s (pressing or releasing a button), M 1.35 s (deciding), and for drawing its 0.16 s per
centimetre on the screen, where 1 cm of the patient is taken to be shown as 1.5 cm.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

_KEY, _POINT, _BUTTON, _DECIDE = 0.28, 1.1, 0.1, 1.35
_TRACING_MM_PER_SECOND = 10.0 / 1.5 / 0.16

ANSWER_SECONDS = 0.5
"""Seconds until a model's mask is on the screen; Maskloop's goals are 0.5 s for a box and 1.0 s for a click."""

OPEN_SECONDS = 2.0
"""Seconds until an opened slice is on the screen in Label Studio."""


class Action(StrEnum):
    """A kind of action of an annotator."""

    CLICK = "click"
    BOX = "box"
    POINT = "point"
    STROKE = "stroke"
    UNDO = "undo"
    ACCEPT = "accept"
    CLEAR = "clear"
    TOOL = "tool"
    OPEN = "open"
    SUBMIT = "submit"


COUNTED = (Action.CLICK, Action.BOX, Action.POINT, Action.STROKE, Action.UNDO, Action.ACCEPT, Action.CLEAR)
"""The actions that are counted."""

PROMPTS = (Action.CLICK, Action.BOX, Action.POINT)

SECONDS = {
    Action.CLICK: _DECIDE + _POINT + 2 * _BUTTON + ANSWER_SECONDS,
    Action.BOX: _DECIDE + 2 * _POINT + 2 * _BUTTON + ANSWER_SECONDS,
    Action.POINT: _DECIDE + _POINT + 2 * _BUTTON,
    Action.STROKE: _DECIDE + _POINT + 2 * _BUTTON,
    Action.UNDO: _DECIDE + 2 * _KEY,
    Action.ACCEPT: _POINT + 2 * _BUTTON,
    Action.CLEAR: _DECIDE + _POINT + 2 * _BUTTON + _KEY,
    Action.TOOL: _KEY,
    Action.OPEN: OPEN_SECONDS + _DECIDE,
    Action.SUBMIT: 2 * _KEY,
}
"""Seconds of each action; a stroke also takes the seconds of its path."""


@dataclass
class ActionLog:
    """An annotator's actions on a case.

    Args:
        counts: How often each action was done.
        path_mm: Length of all strokes together, on the patient's scale.
        changed_pixels: Pixels that strokes changed.
    """

    counts: Counter[Action] = field(default_factory=Counter)
    path_mm: float = 0.0
    changed_pixels: int = 0

    def add(self, action: Action, times: int = 1) -> None:
        """Counts an action."""
        self.counts[action] += times

    @property
    def actions(self) -> int:
        """Prompts, strokes, undos, accepted suggestions and cleared slices."""
        return sum(self.counts[action] for action in COUNTED)

    @property
    def prompts(self) -> int:
        """Clicks, boxes and extreme points."""
        return sum(self.counts[action] for action in PROMPTS)

    @property
    def seconds(self) -> float:
        """Predicted time of all actions."""
        fixed = sum(SECONDS[action] * count for action, count in self.counts.items())
        return fixed + self.path_mm / _TRACING_MM_PER_SECOND

    def as_dict(self) -> dict[str, float | int]:
        """As plain JSON values."""
        return {
            **{action.value: self.counts[action] for action in Action},
            "actions": self.actions,
            "with_submits": self.actions + self.counts[Action.SUBMIT],
            "prompts": self.prompts,
            "way_mm": round(self.path_mm, 1),
            "changed_pixels": self.changed_pixels,
            "seconds": round(self.seconds, 1),
        }
