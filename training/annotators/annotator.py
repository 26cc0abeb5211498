"""A simulated annotator, who segments a case slice by slice until every slice is good enough.

The annotator knows the tumour and sees every error; models and brush do the drawing. A slice opens with a mask
interpolated between the finished slices, and perhaps with a model's. If it is badly wrong, the annotator prompts a
model; the rest is corrected with strokes of brush and eraser until the slice is good enough; then it is submitted, and
the other slices open better. Drawing by hand is the same annotator with the same strokes and the same limit of good
enough, without pre-drawn masks and without models.

The annotator follows a `Strategy` that is fixed beforehand, never chosen with knowledge of the outcome.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from datasets.errors import GeometryError, RejectedInput
from datasets.image.mask import Inside
from datasets.image.volume import Volume
from datasets.pictures.picture_plane import PicturePlane
from datasets.study.cohort import LoadedCase
from datasets.study.image_kind import modality_of
from training.annotators.actions import Action, ActionLog
from training.annotators.strategy import FAR_SLICES, GoodEnough, Help, Order, Strategy, halving_order
from training.annotators.strokes import BrushSettings, Stroke, Tool, best_stroke, outline
from training.prompts.prompt import Box, Click, Prompts
from training.prompts.simulated_boxes import TRAINING_JITTER, slice_boxes
from training.prompts.simulated_clicks import ClickRule, next_click
from training.prompts.simulated_points import points_mm, six_points
from training.segmenters.between_slices import interpolated_masks
from training.segmenters.segmenter import SegmentationRequest, Segmenter

_MOST_STROKES = 200
"""Most strokes on one visit of a slice; no annotator would go on for longer."""


@dataclass(frozen=True)
class Helpers:
    """The models that the annotator may prompt; None for a kind without a model.

    Args:
        clicks: Draws a slice from clicks.
        box: Draws a slice from a box.
        points: Draws the volume from six points.
    """

    clicks: Segmenter | None = None
    box: Segmenter | None = None
    points: Segmenter | None = None


@dataclass(frozen=True, eq=False)
class Finished:
    """A case that an annotator finished.

    Args:
        log: The annotator's actions.
        mask: The annotator's mask, bool on the case's grid.
        visited: Slices in the order in which they were opened.
        wrong_when_opened: Share of the slice's tumour that was wrong when it was opened, for slices with tumour.
    """

    log: ActionLog
    mask: NDArray[np.bool_]
    visited: tuple[int, ...]
    wrong_when_opened: Mapping[int, float] = field(default_factory=dict)


def annotate(
    case: LoadedCase,
    strategy: Strategy,
    helpers: Helpers,
    *,
    random: np.random.Generator,
    brush: BrushSettings | None = None,
    good: GoodEnough | None = None,
    cache_key: str = "",
    draft: Inside | None = None,
) -> Finished:
    """Simulates an annotator on a case.

    Args:
        case: Images and the true mask.
        strategy: How the annotator works.
        helpers: The models.
        random: Generator of all random choices.
        brush: Brushes, longest stroke and tremor.
        good: When a slice and the case are good enough.
        cache_key: Key of the images, for models that cache embeddings.
        draft: bool on the case's grid, with which the slices open; None for none.

    Raises:
        RejectedInput: A model that the strategy needs is missing, or cannot draw the case.
        GeometryError: The draft has another shape than the case's mask (``mask-shapes``).
    """
    _require_helpers(strategy, helpers)
    annotator = _Annotator(case, strategy, helpers, random, brush or BrushSettings(), good or GoodEnough(), cache_key)
    if draft is not None:
        annotator.take(draft)
    annotator.work()
    return annotator.finished()


def _require_helpers(strategy: Strategy, helpers: Helpers) -> None:
    wanted = {"clicks": strategy.help is Help.CLICKS, "box": strategy.help is Help.BOX, "points": strategy.points}
    if missing := [name for name, is_wanted in wanted.items() if is_wanted and getattr(helpers, name) is None]:
        raise RejectedInput(
            "annotator-model",
            f"The strategy {strategy.name} needs a model for {' and '.join(missing)}.",
            remedy="Name one, or choose another strategy.",
        )


class _Annotator:
    """One annotator on one case."""

    def __init__(
        self,
        case: LoadedCase,
        strategy: Strategy,
        helpers: Helpers,
        random: np.random.Generator,
        brush: BrushSettings,
        good: GoodEnough,
        cache_key: str,
    ) -> None:
        self._mask, self._strategy, self._helpers = case.mask, strategy, helpers
        self._random, self._brush_settings, self._good = random, brush, good
        self._pictures = PicturePlane.of(case.mask.grid)
        self._pixel_mm = float(np.sqrt(np.prod(self._pictures.pixel_spacing_mm)))
        self._truth = np.ascontiguousarray(self._pictures.stack(case.mask.foreground))
        self._areas = self._truth.sum(axis=(1, 2))
        self._drawn: dict[int, Inside] = {}
        self._model: dict[int, Inside] | None = None
        self._draft: dict[int, Inside] = {}
        target = next(iter(case.volumes))
        self._request = SegmentationRequest(
            case.volumes,
            target,
            slice_axis=self._pictures.slice_axis,
            cache_key=cache_key,
            modality=modality_of(target),
        )
        self._tool: tuple[str, float] | None = None
        self._log = ActionLog()
        self._visited: list[int] = []
        self._opened: dict[int, float] = {}

    def take(self, draft: Inside) -> None:
        """Opens slices with a draft; where they are drawn from finished ones, it is the model's mask between them."""
        if draft.shape != self._mask.grid.shape:
            raise GeometryError(
                "mask-shapes",
                f"Expected a draft of {self._mask.grid.shape}, got {draft.shape}.",
                remedy="Draw it on the case's grid.",
            )
        pictures = self._pictures.stack(draft)
        self._draft = {index: np.array(picture) for index, picture in enumerate(pictures) if picture.any()}
        if self._strategy.pre_drawn:
            self._model = dict(self._draft)

    def work(self) -> None:
        """Works until the case is good enough."""
        if self._strategy.points:
            self._place_points()
        for index in self._in_order():
            self._visit(index, self._allowed(index))
        self._look_again()

    def finished(self) -> Finished:
        """The annotator's mask and actions."""
        found = np.zeros(self._mask.grid.shape, np.bool_)
        for index, mask in self._drawn.items():
            self._pictures.from_picture(mask, into=found, index=index)
        return Finished(self._log, found, tuple(self._visited), self._opened)

    def _in_order(self) -> list[int]:
        with_tumour = np.flatnonzero(self._areas)
        first, last = int(with_tumour[0]), int(with_tumour[-1])
        largest = int(np.argmax(self._areas))
        is_outwards = self._strategy.order is Order.OUTWARDS
        found = self._outwards(first, largest, last) if is_outwards else halving_order(first, largest, last)
        return [*found, *sorted(self._draft.keys() - {*found})]

    def _outwards(self, first: int, largest: int, last: int) -> list[int]:
        """Outwards order, with the slice beyond each end if it opens pre-drawn and has to be cleared."""
        beyond = int(self._strategy.pre_drawn)
        upper = range(largest + 1, min(last + beyond, len(self._areas) - 1) + 1)
        return [largest, *upper, *range(largest - 1, max(first - beyond, 0) - 1, -1)]

    def _allowed(self, index: int) -> float:
        """Pixels that may be wrong on a slice."""
        mean = float(self._areas[self._areas > 0].mean())
        found = max(self._good.share * float(self._areas[index]), self._good.floor_share * mean)
        nearest = min((abs(index - place) for place in self._drawn), default=FAR_SLICES)
        return found * (self._strategy.careful if nearest >= FAR_SLICES else 1.0)

    def _visit(self, index: int, allowed: float) -> None:
        """Opens a slice, corrects it until it is good enough, submits it."""
        self._log.add(Action.OPEN)
        self._visited.append(index)
        if index not in self._drawn:
            self._drawn[index] = self._pre_drawn(index)
            if self._areas[index]:
                self._opened.setdefault(index, self._wrong(index) / float(self._areas[index]))
        if not self._areas[index]:
            self._clear(index)
        else:
            self._correct(index, allowed)
        self._log.add(Action.SUBMIT)

    def _pre_drawn(self, index: int) -> Inside:
        empty = np.zeros(self._pictures.shape, np.bool_)
        if not self._strategy.pre_drawn:
            return self._draft.get(index, empty)
        known = self._drawn
        if self._model is None and self._strategy.order is Order.HALVING and not _is_between(index, known):
            return empty  # a copy of a distant slice does not help
        found = dict(interpolated_masks(known, [index], drawn=self._model))
        return found.get(index, empty)

    def _correct(self, index: int, allowed: float) -> None:
        if self._is_good(index, allowed):
            return
        if self._draft and self._wrong(index) > self._areas[index]:
            self._clear(index)
        if self._wrong(index) > self._strategy.badly_off * float(self._areas[index]):
            self._prompt(index, allowed)
        self._brush(index, allowed)

    def _brush(self, index: int, allowed: float) -> None:
        if self._strategy.outline and not self._drawn[index].any():
            self._outline(index)
        for _ in range(_MOST_STROKES):
            if self._is_good(index, allowed) or not self._stroke(index):
                return

    def _outline(self, index: int) -> None:
        """Draws the outline, in as many strokes as its length needs and without tremor."""
        radius = min(self._brush_settings.radii)
        rim, length = outline(self._truth[index], radius)
        length_mm = length * self._pixel_mm
        self._log.add(Action.STROKE, max(int(np.ceil(length_mm / self._brush_settings.longest_mm)), 1))
        self._log.path_mm += length_mm
        self._log.changed_pixels += int(np.count_nonzero(rim))
        self._tool = (Tool.BRUSH.value, radius)
        self._drawn[index] = rim

    def _stroke(self, index: int) -> bool:
        """Makes one stroke; False if none would correct anything."""
        truth, drawn = self._truth[index], self._drawn[index]
        stroke = best_stroke(truth, drawn, self._brush_settings, self._random, pixel_mm=self._pixel_mm)
        if stroke is None:
            return False
        self._take_up(stroke)
        after = stroke.drawn_on(drawn)
        self._log.add(Action.STROKE)
        self._log.path_mm += stroke.length_mm
        self._log.changed_pixels += int(np.count_nonzero(after != drawn))
        self._drawn[index] = after
        return True

    def _take_up(self, stroke: Stroke) -> None:
        tool = (stroke.tool.value, stroke.radius)
        if self._tool is not None and self._tool != tool:
            self._log.add(Action.TOOL)
        self._tool = tool

    def _prompt(self, index: int, allowed: float) -> None:
        if self._strategy.help is Help.CLICKS:
            self._click(index, allowed)
        elif self._strategy.help is Help.BOX:
            self._box(index)

    def _click(self, index: int, allowed: float) -> None:
        """Clicks while clicks correct; one that makes the slice worse is undone, and the brush follows."""
        request, was_prompted = replace(self._request, slices=(index,)), False
        if self._drawn[index].any():
            request = replace(request, previous=self._as_probability(index))
        for _ in range(self._strategy.most_clicks):
            click = next_click(self._truth[index], self._drawn[index], self._random, rule=ClickRule.DEEPGROW)
            if click is None or self._is_good(index, allowed):
                break
            own = self._in_mm(index, click.index, positive=click.positive)
            request = replace(request, prompts=Prompts(clicks=(*request.prompts.clicks, own)))
            self._log.add(Action.CLICK)
            before, probability = self._wrong(index), self._answer(self._helpers.clicks, request)
            found = self._pictures.to_picture(np.asarray(probability.data, np.float32), index) > 0.5
            if np.count_nonzero(found != self._truth[index]) >= before:
                self._log.add(Action.UNDO)
                break
            self._drawn[index], was_prompted = found, True
            request = replace(request, previous=probability)
        self._log.add(Action.ACCEPT, int(was_prompted))

    def _box(self, index: int) -> None:
        """Draws a box around the slice's tumour; the model's mask is accepted if it is better, else undone."""
        request = replace(self._request, slices=(index,), prompts=Prompts(boxes=self._boxes(index)))
        self._log.add(Action.BOX)
        probability = self._answer(self._helpers.box, request)
        found = self._pictures.to_picture(np.asarray(probability.data, np.float32), index) > 0.5
        if np.count_nonzero(found != self._truth[index]) < self._wrong(index):
            self._drawn[index] = found
            self._log.add(Action.ACCEPT)
        else:
            self._log.add(Action.UNDO)

    def _boxes(self, index: int) -> tuple[Box, ...]:
        alone = np.zeros(self._mask.grid.shape, np.uint8)
        self._pictures.from_picture(self._truth[index].astype(np.uint8), into=alone, index=index)
        return slice_boxes(alone > 0, self._pictures, self._random, margin=TRAINING_JITTER, least_pixels=1)

    def _place_points(self) -> None:
        """Places six points; from then on slices open with the model's volume."""
        voxels = six_points(self._mask.foreground, self._mask.grid.spacing, self._random)
        prompts = Prompts(extreme_points=points_mm(voxels, self._mask.grid))
        self._log.add(Action.POINT, len(voxels))
        self._log.add(Action.OPEN, len(np.unique(voxels[:, self._pictures.slice_axis])))
        self._log.add(Action.ACCEPT)
        drawn = self._answer(self._helpers.points, replace(self._request, prompts=prompts))
        inside = self._pictures.stack(np.asarray(drawn.data) > 0.5)
        self._model = {index: np.array(picture) for index, picture in enumerate(inside)}

    def _clear(self, index: int) -> None:
        if self._drawn[index].any():
            self._log.add(Action.CLEAR)
            self._drawn[index] = np.zeros(self._pictures.shape, np.bool_)

    def _look_again(self) -> None:
        """Opens the worst slices again until the case is good enough."""
        wrong = {index: self._wrong(index) for index in self._drawn}
        for index in sorted(wrong, key=lambda each: (-wrong[each], each)):
            if self._case_dice() >= self._good.case_dice:
                return
            self._visit(index, self._good.share / 2 * float(self._areas[index]))

    def _case_dice(self) -> float:
        inside = sum(int(np.count_nonzero(mask & self._truth[index])) for index, mask in self._drawn.items())
        drawn = sum(int(np.count_nonzero(mask)) for mask in self._drawn.values())
        return 2.0 * inside / (drawn + int(self._areas.sum()))

    def _wrong(self, index: int) -> int:
        return int(np.count_nonzero(self._drawn[index] != self._truth[index]))

    def _is_good(self, index: int, allowed: float) -> bool:
        return self._wrong(index) <= allowed and (not self._areas[index] or bool(self._drawn[index].any()))

    def _answer(self, model: Segmenter | None, request: SegmentationRequest) -> Volume:
        if model is None:
            raise RejectedInput("annotator-model", "The strategy needs a model that was not given.", remedy="Name one.")
        found = model.segment(request).probability
        self._mask.grid.require_match(found.grid, what="A segmenter's answer")
        return found

    def _as_probability(self, index: int) -> Volume:
        data = np.zeros(self._mask.grid.shape, np.float32)
        self._pictures.from_picture(self._drawn[index].astype(np.float32), into=data, index=index)
        return Volume(data, self._mask.grid)

    def _in_mm(self, index: int, pixel: tuple[int, ...], *, positive: bool) -> Click:
        row, column = pixel
        voxel = np.rint(self._pictures.pixel_to_voxel((column + 0.5, row + 0.5), index=index)).astype(np.int64)
        (point,) = points_mm(voxel[None], self._mask.grid)
        return Click(point, positive=positive)


def _is_between(index: int, known: Mapping[int, Inside]) -> bool:
    return any(place < index for place in known) and any(place > index for place in known)
