"""Learning curve: Dice and work a case of a row of models, against the approved cases that each learned from.

The page of a study's models and the report of simulated rounds draw the same plot. Values are means over patients, with
their intervals; each mark carries its number, so that no colour has to be told from another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from datasets.pages.frame import Frame, dot, path, round_ticks
from training.measures.bootstrap import Interval
from training.measures.intervals import mean_interval

_DICE_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

_NUMBER_WIDTH = 64
"""Pixels that a number beside a dot takes at most."""


@dataclass(frozen=True)
class CurvePoint:
    """One model, or none: what came before the first.

    Args:
        name: The model's, in plain text.
        cases: Approved cases that it learned from.
        dice: By patient, on whom it was tried; none where it was not.
        work: By patient, what a case took that opened with its drafts; none where nothing is known.
    """

    name: str
    cases: int
    dice: Mapping[str, float] = field(default_factory=dict)
    work: Mapping[str, float] = field(default_factory=dict)

    @property
    def dice_mean(self) -> Interval:
        """Mean Dice over patients."""
        return mean_of(self.dice, bounds=(0.0, 1.0))

    @property
    def work_mean(self) -> Interval:
        """Mean work over patients."""
        return mean_of(self.work, bounds=(0.0, float("inf")))


def mean_of(values: Mapping[str, float], *, bounds: tuple[float, float] = (-float("inf"), float("inf"))) -> Interval:
    """The mean of a value by patient, with its interval."""
    return mean_interval(list(values.values()), list(values), bounds=bounds)


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> Interval:
    """The mean change from one model to the next, on the patients that both have."""
    return mean_of({patient: after[patient] - before[patient] for patient in after if patient in before})


def curve_plot(points: Sequence[CurvePoint], *, of_work: bool, y_title: str) -> str:
    """The curve as SVG; empty for fewer than two models that have the value.

    Args:
        points: In any order.
        of_work: Draws the work instead of Dice.
        y_title: What is drawn, with its unit.
    """
    known = [(point, point.work_mean if of_work else point.dice_mean) for point in points]
    drawn = sorted(((p, mean) for p, mean in known if mean.value is not None), key=lambda each: each[0].cases)
    if len(drawn) < 2:
        return ""
    ends = [end for _, mean in drawn for end in (mean.value, mean.lower, mean.upper) if end is not None]
    y_ticks = round_ticks([0.0, *ends]) if of_work else list(_DICE_TICKS)
    x_ticks = round_ticks([0.0, *(float(point.cases) for point, _ in drawn)])
    frame = Frame((x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]), width=460, height=300, right=28)
    title = escape(y_title)
    content = frame.axes(x_ticks, y_ticks, x_title="approved cases that were learned from", y_title=title)
    content.append(f'<path class="mean m0" d="{path([frame.at(p.cases, mean.value or 0.0) for p, mean in drawn])}"/>')
    for point, mean in drawn:
        content += _mark(frame, point, mean, digits=1 if of_work else 3)
    return frame.svg(content, label=f"{y_title} against the approved cases that models learned from")


def _mark(frame: Frame, point: CurvePoint, mean: Interval, *, digits: int) -> list[str]:
    """A mean as a dot with its number, and its interval as a whisker."""
    value = mean.value or 0.0
    x, y = frame.at(point.cases, value)
    found = []
    if mean.lower is not None and mean.upper is not None:
        low, high = frame.at(point.cases, mean.lower)[1], frame.at(point.cases, mean.upper)[1]
        found.append(f'<path class="whisker m0" d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} '
                     f'{high:.1f}h8"/>')  # fmt: skip
    found.append(dot((x, y), f"{point.name}: {value:.{digits}f}"))
    # Right of the dot, but left of one near the edge, beyond which nothing is seen.
    place = f'x="{x + 7:.1f}"' if x < frame.width - _NUMBER_WIDTH else f'x="{x - 7:.1f}" text-anchor="end"'
    found.append(f'<text class="tick" {place} y="{y - 6:.1f}">{value:.{digits}f}</text>')
    return found
