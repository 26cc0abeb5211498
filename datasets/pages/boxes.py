"""Box plots by group as SVG: the middle half, median and whiskers of each series, with the cases as dots."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from datasets.pages.frame import Frame, dot, path, round_ticks

Mark = tuple[str, float]
"""A case's title and its value."""

Groups = Mapping[str, Mapping[str, Sequence[Mark]]]
"""By group, by series, the cases."""

COLOURS = 6
"""How many classes of colour there are, ``m0`` to ``m5``."""

MOST_DOTS = 60
"""Of a box in a figure of its own; where there are more cases, only those beyond the whiskers are dots."""

_LETTER_PX = 6.6
_LEGEND_PX = 24


def boxes(groups: Groups, *, y_title: str, top: float | None = None) -> str:
    """A box for each series of each group, with a legend as HTML above and every case as a dot.

    A box holds the middle half with the median; whiskers reach the farthest case within 1.5 box heights.

    Args:
        groups: What is drawn.
        y_title: What the values are, with their unit.
        top: The largest value of the scale, such as 1 for Dice; None for a round one.
    """
    series = _series(groups)
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] if top == 1.0 else _ticks(groups)
    frame = Frame((0, len(groups)), (ticks[0], ticks[-1]), bottom=30)
    content = frame.axes([], ticks, x_title="", y_title=escape(y_title))
    return legend(series) + frame.svg([*content, *_groups(frame, groups, series, most_dots=None)], label=y_title)


def box_figure(groups: Groups, *, y_title: str, label: str) -> str:
    """The same as one SVG that holds its legend, and few dots however many cases there are.

    Args:
        groups: What is drawn.
        y_title: What the values are, with their unit.
        label: What the figure says, in words, for those who do not see it.
    """
    series, ticks = _series(groups), _ticks(groups)
    above = _LEGEND_PX if len(series) > 1 else 0
    frame = Frame((0, len(groups)), (ticks[0], ticks[-1]), height=340 + above, top=14 + above, bottom=30)
    content = frame.axes([], ticks, x_title="", y_title=escape(y_title))
    content += _inner_legend(frame, series) if above else []
    return frame.svg([*content, *_groups(frame, groups, series, most_dots=MOST_DOTS)], label=label)


def legend(names: Sequence[str]) -> str:
    """Names in their colours as HTML; nothing for one."""
    return legend_of([(f"m{at % COLOURS}", name) for at, name in enumerate(names)]) if len(names) > 1 else ""


def legend_of(entries: Sequence[tuple[str, str]]) -> str:
    """Names, each with the class of its colour, as HTML."""
    items = "".join(f'<li class="{style}">{escape(name)}</li>' for style, name in entries)
    return f'<ul class="legend">{items}</ul>'


def _series(groups: Groups) -> list[str]:
    return list(dict.fromkeys(name for each in groups.values() for name in each))


def _ticks(groups: Groups) -> list[float]:
    return round_ticks([0.0, *(value for each in groups.values() for marks in each.values() for _, value in marks)])


def _inner_legend(frame: Frame, series: Sequence[str]) -> list[str]:
    found, x = [], frame.left
    for at, name in enumerate(series):
        found.append(f'<path class="mean m{at % COLOURS}" d="M{x:.1f} 12h18"/>')
        found.append(f'<text class="tick" x="{x + 24:.1f}" y="16">{escape(name)}</text>')
        x += 48 + _LETTER_PX * len(name)
    return found


def _groups(frame: Frame, groups: Groups, series: Sequence[str], *, most_dots: int | None) -> list[str]:
    letters = max(3, int((frame.width - frame.left - frame.right) / max(1, len(groups)) / _LETTER_PX))
    content = []
    for place, (group, found) in enumerate(groups.items()):
        x, _ = frame.at(place + 0.5, 0)
        content.append(
            f'<text class="tick" x="{x:.1f}" y="{frame.height - 10:g}" text-anchor="middle">'
            f"{escape(_cut(group, letters))}</text>"
        )
        width = 0.8 / len(series)
        for at, name in enumerate(series):
            if marks := found.get(name):
                middle = place + 0.1 + width * (at + 0.5)
                shape = (middle, min(width, 0.4))
                content += _box(frame, marks, shape, style=f"m{at % COLOURS}", most_dots=most_dots)
    return content


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _box(
    frame: Frame, marks: Sequence[Mark], shape: tuple[float, float], *, style: str, most_dots: int | None
) -> list[str]:
    middle, width = shape
    values = np.array([value for _, value in marks])
    low, median, high, least, most = _box_values(values)
    left, right = middle - width * 0.4, middle + width * 0.4
    corners = [frame.at(x, y) for x, y in ((left, low), (right, low), (right, high), (left, high))]
    found = [f'<path class="case {style}" d="{path(corners)}Z"/>']
    found.append(f'<path class="mean {style}" d="{path([frame.at(left, median), frame.at(right, median)])}"/>')
    for start, end in ((low, least), (high, most)):
        found.append(f'<path class="case {style}" d="{path([frame.at(middle, start), frame.at(middle, end)])}"/>')
    # Aside of each other in a fixed order, so that cases of one value are seen.
    asides = [((at * 0.618034) % 1 - 0.5) * width * 0.5 for at in range(len(marks))]
    has_all = most_dots is None or len(marks) <= most_dots
    return found + [
        dot(frame.at(middle + aside, value), title, style=style)
        for aside, (title, value) in zip(asides, marks, strict=True)
        if has_all or not least <= value <= most
    ]


def _box_values(values: NDArray[np.float64]) -> tuple[float, float, float, float, float]:
    """Lower quartile, median, upper quartile, and the ends of both whiskers."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    reach = 1.5 * (high - low)
    return low, median, high, values[values >= low - reach].min(), values[values <= high + reach].max()
