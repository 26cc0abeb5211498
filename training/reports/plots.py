"""Plots of a report as inline SVG: clouds of points with trend lines, and Bland and Altman's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from datasets.pages.boxes import COLOURS, legend, legend_of
from datasets.pages.frame import Frame, dot, path, round_ticks
from training.measures.metrics import MISS_DICE, is_miss

GOOD_DICE = 0.8


@dataclass(frozen=True)
class Cloud:
    """Points of one colour with their line.

    Args:
        name: For the legend.
        points: Title, x and y of each.
        line: Slope and intercept of y against x as drawn; None for none.
    """

    name: str
    points: Sequence[tuple[str, float, float]]
    line: tuple[float, float] | None = None


def clouds(found: Sequence[Cloud], *, x_title: str, y_title: str, of_ten: bool = False) -> str:
    """Dice against another number, in colours, with the trend line of each.

    Args:
        found: Points and lines; with `of_ten`, x is the logarithm to base ten.
        x_title: What x is, with its unit.
        y_title: What y is.
        of_ten: Write the ticks of x as powers of ten.
    """
    xs = [x for cloud in found for _, x, _ in cloud.points]
    low, high = math.floor(min(xs)), math.ceil(max(xs))
    ticks = [float(value) for value in range(low, max(high, low + 1) + 1)] if of_ten else round_ticks(xs)
    frame = Frame((ticks[0], ticks[-1]), (0.0, 1.0), right=28)
    content = frame.axes(
        [] if of_ten else ticks, [0, 0.2, 0.4, 0.6, 0.8, 1.0], x_title=escape(x_title), y_title=y_title
    )
    for value in ticks if of_ten else []:
        x, _ = frame.at(value, 0)
        content.append(
            f'<text class="tick" x="{x:.1f}" y="{frame.height - 26:g}" text-anchor="middle">{10**value:g}</text>'
        )
    for at, cloud in enumerate(found):
        style = f"m{at % COLOURS}"
        if cloud.line is not None and len(cloud.points) > 1:
            slope, start = cloud.line
            ends = [min(x for _, x, _ in cloud.points), max(x for _, x, _ in cloud.points)]
            content.append(f'<path class="mean {style}" d="{path([frame.at(x, start + slope * x) for x in ends])}"/>')
        content += [dot(frame.at(x, y), title, style=style) for title, x, y in cloud.points]
    return legend([cloud.name for cloud in found]) + frame.svg(content, label=f"{y_title} against {x_title}")


def percent_plot(
    points: Sequence[tuple[str, float, float, float]], lines: Sequence[float | None], *, x_title: str
) -> str:
    """Differences in percent against the mean of both, coloured by Dice, with bias and limits of agreement.

    Args:
        points: Title, mean of both, difference in percent, and Dice of each case.
        lines: Lower limit, bias, upper limit.
        x_title: What was measured, with its unit.
    """
    known = [line for line in lines if line is not None]
    y_ticks = round_ticks([y for _, _, y, _ in points] + known + [0.0])
    x_ticks = round_ticks([x for _, x, _, _ in points] + [0.0])
    frame = Frame((x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]), width=460, height=280, left=64)
    content = frame.axes(x_ticks, y_ticks, x_title=escape(x_title), y_title="predicted − reference (%)")
    for place, line in enumerate(lines):
        if line is not None:
            _, y = frame.at(0, line)
            style = "mean m0" if place == 1 else "limit"
            content.append(f'<path class="{style}" d="M{frame.left:g} {y:.1f}H{frame.width - frame.right:g}"/>')
    content += [dot(frame.at(x, y), title, style=_of_dice(dice)) for title, x, y, dice in points]
    return frame.svg(content, label=f"Bland-Altman plot, {x_title}")


def dice_legend() -> str:
    """What the colours of `percent_plot` mean."""
    words = {
        "m2": f"Dice from {GOOD_DICE}",
        "m1": f"Dice {MISS_DICE} to {GOOD_DICE}",
        "m4": f"misses, below {MISS_DICE}",
    }
    return legend_of(list(words.items()))


def _of_dice(dice: float) -> str:
    if is_miss(dice):
        return "m4"
    return "m2" if dice >= GOOD_DICE else "m1"
