"""The figures of an evaluation's page as inline SVG: curves against clicks, cases in order, Bland-Altman plots.

Colours are classes, so that the page's style sheet decides them for light and dark; every mark of a case carries its
name and value as a title, which browsers show under the pointer.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

Point = tuple[float, float]


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


@dataclass(frozen=True)
class _Frame:
    """A rectangle of the picture and the ranges of numbers that fill it."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: float = 760
    height: float = 340
    left: float = 52
    right: float = 16
    top: float = 14
    bottom: float = 44

    def at(self, x: float, y: float) -> Point:
        """Position of a pair of numbers in the picture."""
        across = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        up = min(max(up, 0.0), 1.0)
        return (
            self.left + across * (self.width - self.left - self.right),
            self.height - self.bottom - up * (self.height - self.top - self.bottom),
        )

    def svg(self, content: Sequence[str], *, label: str) -> str:
        """The figure as SVG."""
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{escape(label)}">'
            + "".join(content)
            + "</svg>"
        )

    def axes(self, x_ticks: Sequence[float], y_ticks: Sequence[float], *, x_title: str, y_title: str) -> list[str]:
        """Grid lines, numbers and titles."""
        found = []
        bottom, middle = self.height - self.bottom, (self.left + self.width - self.right) / 2
        for value in y_ticks:
            _, y = self.at(self.x_range[0], value)
            found.append(f'<path class="grid" d="M{self.left:g} {y:.1f}H{self.width - self.right:g}"/>')
            found.append(
                f'<text class="tick" x="{self.left - 8:g}" y="{y + 4:.1f}" text-anchor="end">{_tick(value)}</text>'
            )
        for value in x_ticks:
            x, _ = self.at(value, self.y_range[0])
            found.append(
                f'<text class="tick" x="{x:.1f}" y="{bottom + 18:g}" text-anchor="middle">{_tick(value)}</text>'
            )
        found.append(f'<text class="axis" x="{middle:g}" y="{self.height - 6:g}" text-anchor="middle">{x_title}</text>')
        y_middle = (self.top + bottom) / 2
        turned = f'transform="rotate(-90 12 {y_middle:g})"'
        found.append(f'<text class="axis" x="12" y="{y_middle:g}" text-anchor="middle" {turned}>{y_title}</text>')
        return found


def dice_curves(curves: Sequence[Curve]) -> str:
    """Dice against clicks: a band of one standard deviation, thin lines of the cases, a thick line of the mean."""
    lowest = min(
        value - (spread or 0.0) for curve in curves for value, spread in zip(curve.mean, curve.sd, strict=True)
    )
    lowest = min([lowest, *(value for curve in curves for line in curve.cases.values() for value in line)])
    floor = max(0.0, math.floor(lowest * 10) / 10)
    last = max(max(curve.clicks) for curve in curves)
    first = min(min(curve.clicks) for curve in curves)
    frame = _Frame((first, max(last, first + 1)), (floor if floor < 1 else 0.9, 1.0))
    content = frame.axes(range(first, last + 1), _dice_ticks(frame.y_range[0]), x_title="clicks", y_title="Dice")
    for place, curve in enumerate(curves):
        content.extend(_curve(frame, curve, f"m{place % 6}", band=len(curves) == 1))
    return frame.svg(content, label="Dice against clicks")


def dice_by_case(cases: Sequence[tuple[str, float]]) -> str:
    """One dot a case, from the worst to the best, with a line at the mean: for methods that make one request."""
    ordered = sorted(cases, key=lambda case: case[1])
    floor = max(0.0, math.floor(ordered[0][1] * 10) / 10)
    frame = _Frame((0, len(ordered) + 1), (floor if floor < 1 else 0.9, 1.0), height=280)
    content = frame.axes([], _dice_ticks(frame.y_range[0]), x_title="cases, worst to best", y_title="Dice")
    mean = sum(value for _, value in ordered) / len(ordered)
    _, y = frame.at(0, mean)
    content.append(f'<path class="mean m0" d="M{frame.left:g} {y:.1f}H{frame.width - frame.right:g}"/>')
    content.extend(
        _dot(frame.at(place, value), f"{case}: {value:.3f}") for place, (case, value) in enumerate(ordered, start=1)
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
    y_ticks = _round_ticks([difference for _, _, difference in points] + lines + [0.0])
    x_ticks = _round_ticks([mean for _, mean, _ in points] + [0.0])
    frame = _Frame((x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]), width=376, height=260, left=64)
    x_title, y_title = f"mean of both ({unit})", f"predicted − mask ({unit})"
    content = frame.axes(x_ticks, y_ticks, x_title=x_title, y_title=y_title)
    for name in ("lower", "bias", "upper"):
        if agreement[name] is not None:
            _, y = frame.at(0, agreement[name])
            style = "mean m0" if name == "bias" else "limit"
            content.append(f'<path class="{style}" d="M{frame.left:g} {y:.1f}H{frame.width - frame.right:g}"/>')
    content.extend(_dot(frame.at(x, y), f"{case}: {y:+.1f} {unit} at {x:.1f} {unit}") for case, x, y in points)
    return frame.svg(content, label=f"Bland-Altman plot ({unit})")


def _curve(frame: _Frame, curve: Curve, style: str, *, band: bool) -> list[str]:
    content = []
    spread = [0.0 if value is None else value for value in curve.sd]
    if band and any(spread):
        upper = [frame.at(x, y + s) for x, y, s in zip(curve.clicks, curve.mean, spread, strict=True)]
        lower = [frame.at(x, y - s) for x, y, s in zip(curve.clicks, curve.mean, spread, strict=True)]
        content.append(f'<path class="band {style}" d="{_path([*upper, *reversed(lower)])}Z"/>')
    for case, values in curve.cases.items():
        line = _path([frame.at(x, y) for x, y in zip(curve.clicks, values, strict=True)])
        content.append(f'<path class="case {style}" d="{line}"><title>{escape(case)}</title></path>')
    points = [frame.at(x, y) for x, y in zip(curve.clicks, curve.mean, strict=True)]
    content.append(f'<path class="mean {style}" d="{_path(points)}"/>')
    content.extend(
        f'<circle class="point {style}" cx="{x:.1f}" cy="{y:.1f}" r="4">'
        f"<title>{escape(curve.title)}: {value:.3f} at {count}</title></circle>"
        for (x, y), count, value in zip(points, curve.clicks, curve.mean, strict=True)
    )
    return content


def _dot(at: Point, title: str) -> str:
    return f'<circle class="dot m0" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4.5"><title>{escape(title)}</title></circle>'


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _tick(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _dice_ticks(floor: float) -> list[float]:
    step = 0.1 if floor < 0.8 else 0.05
    return [round(1 - step * number, 2) for number in range(round((1 - floor) / step) + 1)]


def _round_ticks(values: Sequence[float]) -> list[float]:
    """Four to eight round numbers, in order, that enclose the values."""
    low, high = min(values), max(values)
    rough = max(high - low, 0.1) / 5
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(number * step, 6) for number in range(first, max(last, first + 1) + 1)]
