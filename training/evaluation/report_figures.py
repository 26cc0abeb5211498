"""The figures of an evaluation's page as inline SVG: curves against clicks, cases in order, Bland-Altman plots.

Colours are classes, so that the page's style sheet decides them for light and dark; every mark of a case carries its
name and value as a title, which browsers show under the pointer.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from datasets.pages.frame import Frame, dot, path, round_ticks


@dataclass(frozen=True)
class Curve:
    """A model's mean Dice against clicks.

    Args:
        title: The model.
        clicks: Numbers of clicks.
        mean: Mean Dice after each.
        sd: Standard deviation; None where there is none.
        cases: Dice of each case by its name; empty for the mean alone.
    """

    title: str
    clicks: Sequence[int]
    mean: Sequence[float]
    sd: Sequence[float | None]
    cases: Mapping[str, Sequence[float]]


def dice_curves(curves: Sequence[Curve]) -> str:
    """Dice against clicks: a band of one standard deviation, thin lines of the cases, a thick line of the mean."""
    lowest = min(
        value - (spread or 0.0) for curve in curves for value, spread in zip(curve.mean, curve.sd, strict=True)
    )
    lowest = min([lowest, *(value for curve in curves for line in curve.cases.values() for value in line)])
    floor = max(0.0, math.floor(lowest * 10) / 10)
    last = max(max(curve.clicks) for curve in curves)
    first = min(min(curve.clicks) for curve in curves)
    frame = Frame((first, max(last, first + 1)), (floor if floor < 1 else 0.9, 1.0))
    content = frame.axes(range(first, last + 1), _dice_ticks(frame.y_range[0]), x_title="clicks", y_title="Dice")
    for place, curve in enumerate(curves):
        content.extend(_curve(frame, curve, f"m{place % 6}", band=len(curves) == 1))
    return frame.svg(content, label="Dice against clicks")


def dice_by_case(cases: Sequence[tuple[str, float]]) -> str:
    """One dot a case, from the worst to the best, with a line at the mean: for methods that make one request."""
    ordered = sorted(cases, key=lambda case: case[1])
    floor = max(0.0, math.floor(ordered[0][1] * 10) / 10)
    frame = Frame((0, len(ordered) + 1), (floor if floor < 1 else 0.9, 1.0), height=280)
    content = frame.axes([], _dice_ticks(frame.y_range[0]), x_title="cases, worst to best", y_title="Dice")
    mean = sum(value for _, value in ordered) / len(ordered)
    _, y = frame.at(0, mean)
    content.append(f'<path class="mean m0" d="M{frame.left:g} {y:.1f}H{frame.width - frame.right:g}"/>')
    content.extend(
        dot(frame.at(place, value), f"{case}: {value:.3f}") for place, (case, value) in enumerate(ordered, start=1)
    )
    return frame.svg(content, label="Dice of every case")


def bland_altman_plot(sizes: Sequence[tuple[str, float, float]], agreement: Mapping[str, Any], *, unit: str) -> str:
    """Difference against mean of two measurements, with bias and limits of agreement.

    Args:
        sizes: Case, measured, reference.
        agreement: ``bias``, ``lower``, ``upper``; null where there is none.
        unit: Of the measurement.
    """
    points = [(case, (one + other) / 2, one - other) for case, one, other in sizes]
    lines = [agreement[name] for name in ("lower", "bias", "upper") if agreement[name] is not None]
    y_ticks = round_ticks([difference for _, _, difference in points] + lines + [0.0])
    x_ticks = round_ticks([mean for _, mean, _ in points] + [0.0])
    frame = Frame((x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]), width=376, height=260, left=64)
    x_title, y_title = f"mean of both ({unit})", f"predicted − mask ({unit})"
    content = frame.axes(x_ticks, y_ticks, x_title=x_title, y_title=y_title)
    for name in ("lower", "bias", "upper"):
        if agreement[name] is not None:
            _, y = frame.at(0, agreement[name])
            style = "mean m0" if name == "bias" else "limit"
            content.append(f'<path class="{style}" d="M{frame.left:g} {y:.1f}H{frame.width - frame.right:g}"/>')
    content.extend(dot(frame.at(x, y), f"{case}: {y:+.1f} {unit} at {x:.1f} {unit}") for case, x, y in points)
    return frame.svg(content, label=f"Bland-Altman plot ({unit})")


def _curve(frame: Frame, curve: Curve, style: str, *, band: bool) -> list[str]:
    content = []
    spread = [0.0 if value is None else value for value in curve.sd]
    if band and any(spread):
        upper = [frame.at(x, y + s) for x, y, s in zip(curve.clicks, curve.mean, spread, strict=True)]
        lower = [frame.at(x, y - s) for x, y, s in zip(curve.clicks, curve.mean, spread, strict=True)]
        content.append(f'<path class="band {style}" d="{path([*upper, *reversed(lower)])}Z"/>')
    for case, values in curve.cases.items():
        line = path([frame.at(x, y) for x, y in zip(curve.clicks, values, strict=True)])
        content.append(f'<path class="case {style}" d="{line}"><title>{escape(case)}</title></path>')
    points = [frame.at(x, y) for x, y in zip(curve.clicks, curve.mean, strict=True)]
    content.append(f'<path class="mean {style}" d="{path(points)}"/>')
    content.extend(
        f'<circle class="point {style}" cx="{x:.1f}" cy="{y:.1f}" r="4">'
        f"<title>{escape(curve.title)}: {value:.3f} at {count}</title></circle>"
        for (x, y), count, value in zip(points, curve.clicks, curve.mean, strict=True)
    )
    return content


def _dice_ticks(floor: float) -> list[float]:
    """Ticks of Dice from a floor to 1."""
    step = 0.1 if floor < 0.8 else 0.05
    return [round(1 - step * number, 2) for number in range(round((1 - floor) / step) + 1)]
