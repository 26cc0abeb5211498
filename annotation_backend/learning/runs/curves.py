"""How a training goes: its part, iterations, time left, and losses in as few points as a page can show."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MOST_POINTS = 120
"""Points of one curve; each is the mean loss of as many iterations as that takes."""


@dataclass
class Curve:
    """The losses of one network.

    Args:
        name: Such as ``fold 1 of 5``.
        total: Its iterations.
        points: Last iteration and mean loss of each window that is full.
        window: Losses since.
    """

    name: str
    total: int
    points: list[tuple[int, float]] = field(default_factory=list)
    window: list[float] = field(default_factory=list)

    def add(self, done: int, loss: float) -> None:
        """Takes up the loss of an iteration."""
        self.window.append(loss)
        if len(self.window) >= max(1, -(-self.total // MOST_POINTS)) or done >= self.total:
            self.points.append((done, round(sum(self.window) / len(self.window), 5)))
            self.window.clear()


class Going:
    """What is known of a training that goes on.

    Args:
        fits: How many networks, or folds, are fitted one after the other.
        former: What was known of the same training before it was stopped.
        now: The clock, in seconds.
    """

    def __init__(
        self, fits: int = 1, former: dict[str, Any] | None = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.fits = fits
        self._now = now
        self._part, self._done, self._total = "", 0, 0
        self._curves = {
            one["name"]: Curve(one["name"], one["total"], [(int(at), float(loss)) for at, loss in one["points"]])
            for one in (former or {}).get("curves", [])
        }
        self._fitted: list[str] = []
        self._began = (0.0, 0)
        self._left: int | None = None

    def tell(self, part: str, done: int, total: int, loss: float | None) -> None:
        """Takes up what a training tells after an iteration or a case.

        Args:
            part: What it does.
            done: Iterations or cases done.
            total: Those to do.
            loss: Of the iteration; None where nothing is fitted.
        """
        if loss is None:
            self._part, self._done, self._total = part, done, total
            return
        if part == self._part.removesuffix(_NEXT) and done <= self._done:
            part += _NEXT  # two-stage fits two networks, one after the other
        elif part + _NEXT == self._part:
            part = self._part
        if part != self._part:
            self._begin(part, done, total)
        self._part, self._done, self._total = part, done, total
        self._curves[part].add(done, loss)
        began, first = self._began
        if done > first:
            rate = (self._now() - began) / (done - first)
            others = max(0, self.fits - len({name.removesuffix(_NEXT) for name in self._fitted}))
            self._left = round(rate * (total - done + others * total))

    def _begin(self, part: str, done: int, total: int) -> None:
        self._began = (self._now(), done)
        self._fitted.append(part)
        kept = self._curves.get(part)
        points = [point for point in kept.points if point[0] < done] if kept is not None else []
        self._curves[part] = Curve(part, total, points)

    def described(self) -> dict[str, Any]:
        """As plain JSON values."""
        curves = [{"name": one.name, "total": one.total, "points": one.points} for one in self._curves.values()]
        return {
            "part": self._part,
            "done": self._done,
            "total": self._total,
            "seconds_left": self._left,
            "curves": curves,
        }


_NEXT = ", next network"
