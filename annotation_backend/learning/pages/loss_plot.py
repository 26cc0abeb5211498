"""The losses of a run as lines of a drawing: one for each network, each with dashes of its own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, EDGE = 640, 240, 40
"""Pixels of the drawing, and of its left and lower edge."""

DASHES = ("", "6 4", "2 3", "10 4 2 4", "1 4", "12 3")


@dataclass(frozen=True)
class LossLine:
    """One network's losses.

    Args:
        name: Such as ``fold 1 of 5``.
        path: Of the line, in the drawing's pixels.
        dashes: Of the line.
        number: Counted from 0, for its colour.
        last: Its last loss.
        done: The iterations until then.
    """

    name: str
    path: str
    dashes: str
    number: int
    last: float
    done: int


@dataclass(frozen=True)
class LossPlot:
    """The drawing.

    Args:
        lines: One for each network.
        lowest: Loss at the lower edge.
        highest: Loss at the upper edge.
        iterations: At the right edge.
    """

    lines: tuple[LossLine, ...]
    lowest: float
    highest: float
    iterations: int


def loss_plot(curves: Sequence[Mapping[str, Any]]) -> LossPlot | None:
    """The drawing of a run's losses; None where there are none yet.

    Args:
        curves: As `annotation_backend.learning.runs.curves.Going` describes them.
    """
    drawn = [curve for curve in curves if curve["points"]]
    losses = [float(loss) for curve in drawn for _, loss in curve["points"] if math.isfinite(float(loss))]
    if not losses:
        return None
    lowest, highest = min(losses), max(losses)
    most = max(int(curve["total"]) for curve in drawn)
    height = highest - lowest or 1.0

    def at(done: int, loss: float) -> str:
        across = EDGE + (WIDTH - 2 * EDGE) * done / most
        down = EDGE / 2 + (HEIGHT - 1.5 * EDGE) * (highest - loss) / height
        return f"{across:.1f} {down:.1f}"

    lines = []
    for number, curve in enumerate(drawn):
        points = [(int(done), float(loss)) for done, loss in curve["points"]]
        path = "M" + "L".join(at(done, loss) for done, loss in points)
        done, last = points[-1]
        lines.append(LossLine(str(curve["name"]), path, DASHES[number % len(DASHES)], number, last, done))
    return LossPlot(tuple(lines), lowest, highest, most)
