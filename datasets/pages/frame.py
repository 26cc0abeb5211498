"""The frame of a plot as inline SVG: axes, ticks, dots and lines.

Colours are classes, so that the page's style sheet decides them for light and dark; every mark carries its name and
value as a title, which browsers show under the pointer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
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
                f'<text class="tick" x="{self.left - 8:g}" y="{y + 4:.1f}" text-anchor="end">{tick(value)}</text>'
            )
        for value in x_ticks:
            x, _ = self.at(value, self.y_range[0])
            found.append(
                f'<text class="tick" x="{x:.1f}" y="{bottom + 18:g}" text-anchor="middle">{tick(value)}</text>'
            )
        found.append(f'<text class="axis" x="{middle:g}" y="{self.height - 6:g}" text-anchor="middle">{x_title}</text>')
        y_middle = (self.top + bottom) / 2
        turned = f'transform="rotate(-90 12 {y_middle:g})"'
        found.append(f'<text class="axis" x="12" y="{y_middle:g}" text-anchor="middle" {turned}>{y_title}</text>')
        return found


def dot(at: Point, title: str, *, style: str = "m0") -> str:
    """A dot with its title (plain text), in the colour of a class."""
    return (
        f'<circle class="dot {style}" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4.5"><title>{escape(title)}</title></circle>'
    )


def path(points: Sequence[Point]) -> str:
    """The path of a line through points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def tick(value: float) -> str:
    """A number beside an axis."""
    return f"{value:g}".replace("-", "−")


def round_ticks(values: Sequence[float]) -> list[float]:
    """Four to eight round numbers, in order, that enclose the values."""
    low, high = min(values), max(values)
    rough = max(high - low, 0.1) / 5
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(number * step, 6) for number in range(first, max(last, first + 1) + 1)]
