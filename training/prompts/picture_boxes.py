"""Prompts read as one box or several on each slice, for methods that understand boxes only.

LiteMedSAM is one: given as SAM's point prompts, clicks made its masks worse (middle T1 slices of 34 sarcomas: mean Dice
0.91 with a box, 0.80 with the box and a click in the tumour, 0.00 with the click alone), while cutting a loose box at a
negative click made them better (0.73 to 0.80).

A box counts on the slices it spans; a flat box and clicks count on the slice they were made on. A slice without prompts
takes those of the nearest slice that has some. If the only box has depth, slices are propagated from its middle
(`DeepBox`, for `segmenters/boxes/box_propagation.py`). Clicks change the boxes of their slice: a positive click outside
every box grows the nearest one, a negative click inside a box moves one of its edges past the click: the edge that
gives up the least area without leaving a positive click outside. Positive clicks without a box share one box around
them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import PointMm, Prompts

POINT_BOX_MM = 80.0
"""Side of the box put around a click, a little more than the median sarcoma is long in a slice (73 mm in 34 patients of
the TCIA soft-tissue-sarcoma collection). Of 30, 40, 50, 65, 80 and 100 mm it let LiteMedSAM draw best from a click in
the middle of the tumour on those patients' middle T1 slices (mean Dice 0.70; a box from the mask 0.91). It was chosen
on these patients, so 0.70 is no figure for others; models that learned from clicks do better."""

_EDGE_TOLERANCE = 1e-6
"""Pixels by which rounding may move an edge past a pixel's centre without excluding the pixel."""

Pixel = tuple[float, float]


@dataclass(frozen=True)
class PictureBox:
    """A box on a picture, in pixels, both ends included: whole pixels when drawn, fractions when computed."""

    top: float
    left: float
    bottom: float
    right: float

    def holds(self, click: Pixel) -> bool:
        """Whether the pixel (row, column) nearest to the click lies inside."""
        row, column = _nearest(click)
        return self.top <= row <= self.bottom and self.left <= column <= self.right

    def grown_to(self, click: Pixel) -> "PictureBox":
        """The smallest box that holds this one and the click."""
        row, column = _nearest(click)
        return PictureBox(min(self.top, row), min(self.left, column), max(self.bottom, row), max(self.right, column))

    def without(self, click: Pixel, *, keeping: Sequence[Pixel]) -> "PictureBox":
        """The largest box inside this one without `click` but with all of `keeping`; this one if there is none."""
        row, column = _nearest(click)
        cut = (
            PictureBox(row + 1, self.left, self.bottom, self.right),
            PictureBox(self.top, self.left, row - 1, self.right),
            PictureBox(self.top, column + 1, self.bottom, self.right),
            PictureBox(self.top, self.left, self.bottom, column - 1),
        )
        kept = [box for box in cut if box.area and all(box.holds(other) for other in keeping)]
        return max(kept, key=lambda box: box.area, default=self)

    @property
    def area(self) -> float:
        """Pixels inside."""
        return max(self.bottom - self.top + 1, 0) * max(self.right - self.left + 1, 0)

    def distance(self, click: Pixel) -> float:
        """Pixels from the click to the box; 0 inside."""
        rows = max(self.top - click[0], 0.0, click[0] - self.bottom)
        columns = max(self.left - click[1], 0.0, click[1] - self.right)
        return float(np.hypot(rows, columns))


@dataclass(frozen=True)
class DeepBox:
    """A box with depth, as drawn: the same on every slice from `first` to `last`, both included."""

    first: int
    last: int
    box: PictureBox

    @property
    def middle(self) -> int:
        """The slice where its box fits best; the earlier one of two."""
        return self.first + (self.last - self.first) // 2


@dataclass(frozen=True)
class SliceBoxes:
    """The boxes of all slices.

    Args:
        boxes: By slice index, for the slices that hold prompts.
        only_spanned: Whether the boxes have depth, so that slices beyond them stay empty.
        from_points: Slices whose box was put around clicks.
        deep: The only box, if it has depth; None if it is flat or there are others.
        positive: Clicks in the tumour by slice, as (row, column).
        negative: Clicks outside the tumour.
    """

    boxes: dict[int, tuple[PictureBox, ...]]
    only_spanned: bool
    from_points: frozenset[int]
    deep: DeepBox | None = None
    positive: Mapping[int, Sequence[Pixel]] = field(default_factory=dict)
    negative: Mapping[int, Sequence[Pixel]] = field(default_factory=dict)

    def corrected(self, boxes: Sequence[PictureBox], index: int) -> tuple[PictureBox, ...]:
        """Boxes of slice `index`, grown or cut by the clicks on it."""
        clicks = self.positive.get(index, ())
        return _cut(_grown(boxes, clicks), self.negative.get(index, ()), keeping=clicks)

    def nearest(self, index: int) -> int | None:
        """The slice whose boxes count on slice `index`: itself, else the nearest; None if the slice stays empty."""
        if index in self.boxes:
            return index
        return None if self.only_spanned else min(self.boxes, key=lambda other: (abs(other - index), other))


def read_boxes(prompts: Prompts, pictures: PicturePlane) -> SliceBoxes:
    """Reads clicks and boxes as boxes on slices.

    Raises:
        RejectedInput: A prompt is not finite or lies outside the image, or there is neither box nor positive click.
    """
    drawn, deep = _drawn_boxes(prompts, pictures)
    positive = _clicks(prompts, pictures, positive=True)
    negative = _clicks(prompts, pictures, positive=False)
    if not drawn and not positive:
        _refuse_nothing_inside(prompts)
    around = {index: [_box_around(clicks, pictures)] for index, clicks in positive.items() if index not in drawn}
    read = SliceBoxes(
        boxes={},
        only_spanned=bool(deep),
        from_points=frozenset(around),
        deep=deep[0] if len(deep) == len(prompts.boxes) == 1 else None,
        positive=positive,
        negative=negative,
    )
    read.boxes.update({index: read.corrected(found, index) for index, found in (drawn | around).items()})
    return read


def _grown(boxes: Sequence[PictureBox], clicks: Sequence[Pixel]) -> list[PictureBox]:
    grown = list(boxes)
    for click in clicks:
        if not any(box.holds(click) for box in grown):
            nearest = min(range(len(grown)), key=lambda at: grown[at].distance(click))
            grown[nearest] = grown[nearest].grown_to(click)
    return grown


def _cut(boxes: Sequence[PictureBox], clicks: Sequence[Pixel], *, keeping: Sequence[Pixel]) -> tuple[PictureBox, ...]:
    cut = list(boxes)
    for click in clicks:
        cut = [
            box.without(click, keeping=[kept for kept in keeping if box.holds(kept)]) if box.holds(click) else box
            for box in cut
        ]
    return tuple(cut)


def _drawn_boxes(prompts: Prompts, pictures: PicturePlane) -> tuple[dict[int, list[PictureBox]], list[DeepBox]]:
    """The drawn boxes by slice, and the boxes with depth among them."""
    found: dict[int, list[PictureBox]] = {}
    deep: list[DeepBox] = []
    for box in prompts.boxes:
        ends = _pixels([box.corner_mm, box.opposite_mm], pictures)
        first, last = _covered(ends, pictures)
        drawn = PictureBox(int(first[1]), int(first[2]), int(last[1]), int(last[2]))
        if last[0] > first[0]:
            deep.append(DeepBox(int(first[0]), int(last[0]), drawn))
        for index in range(int(first[0]), int(last[0]) + 1):
            found.setdefault(index, []).append(drawn)
    return found, deep


def _covered(ends: NDArray[np.float64], pictures: PicturePlane) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last (slice, row, column) whose centres a box holds, at least one, cut at the image's border."""
    lower, upper = ends.min(axis=0), ends.max(axis=0)
    size = np.array([pictures.slice_count, *pictures.shape])
    if (upper < -0.5 - _EDGE_TOLERANCE).any() or (lower > size - 0.5 + _EDGE_TOLERANCE).any():
        _refuse_outside("A box")
    # Cut before rounding: some numbers are too large for an integer.
    lower, upper = np.clip(lower, -0.5, size - 0.5), np.clip(upper, -0.5, size - 0.5)
    first = np.ceil(lower - _EDGE_TOLERANCE).astype(np.int64)
    last = np.floor(upper + _EDGE_TOLERANCE).astype(np.int64)
    middle = np.rint((lower + upper) / 2).astype(np.int64)
    first, last = np.where(last < first, middle, first), np.where(last < first, middle, last)
    return np.clip(first, 0, size - 1), np.clip(last, 0, size - 1)


def _clicks(prompts: Prompts, pictures: PicturePlane, *, positive: bool) -> dict[int, list[Pixel]]:
    """Clicks of one sign by slice, as (row, column)."""
    found: dict[int, list[Pixel]] = {}
    size = np.array([pictures.slice_count, *pictures.shape])
    for click in prompts.clicks:
        (pixel,) = _pixels([click.point_mm], pictures)
        if (pixel < -0.5 - _EDGE_TOLERANCE).any() or (pixel > size - 0.5 + _EDGE_TOLERANCE).any():
            _refuse_outside("A click")
        if click.positive is positive:
            index, row, column = np.clip(pixel, 0, size - 1)
            found.setdefault(int(np.rint(index)), []).append((float(row), float(column)))
    return found


def _pixels(points_mm: Sequence[PointMm], pictures: PicturePlane) -> NDArray[np.float64]:
    points = np.array(points_mm, dtype=np.float64)
    if points.shape != (len(points_mm), 3) or not np.isfinite(points).all():
        raise RejectedInput(
            "prompt-not-finite",
            "A prompt is not three finite numbers in millimetres.",
            remedy="Place the prompt again.",
        )
    return pictures.world_to_index(points)


def _box_around(clicks: Sequence[Pixel], pictures: PicturePlane) -> PictureBox:
    """A box of `POINT_BOX_MM` around the clicks' middle, grown to hold them all and cut at the image's border."""
    points = np.array(clicks)
    reach = POINT_BOX_MM / 2 / np.array(pictures.pixel_spacing_mm)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    limit = np.array(pictures.shape) - 1
    first = np.clip(np.rint(np.minimum(middle - reach, points.min(axis=0))), 0, limit)
    last = np.clip(np.rint(np.maximum(middle + reach, points.max(axis=0))), 0, limit)
    return PictureBox(int(first[0]), int(first[1]), int(last[0]), int(last[1]))


def _nearest(click: Pixel) -> tuple[int, int]:
    return int(np.rint(click[0])), int(np.rint(click[1]))


def _refuse_nothing_inside(prompts: Prompts) -> NoReturn:
    if prompts.extreme_points:
        raise RejectedInput(
            "prompt-kind",
            "This method reads boxes and clicks, not extreme points.",
            remedy="Draw a box, or use a model for six points.",
        )
    raise RejectedInput(
        "prompt-negative-only",
        "All clicks are negative, and there is no box, so there is nothing to remove from.",
        remedy="Click in the tumour or draw a box first.",
    )


def _refuse_outside(what: str) -> NoReturn:
    raise RejectedInput(
        "prompt-outside",
        f"{what} lies outside the image.",
        remedy="Place the prompt on the image.",
    )
