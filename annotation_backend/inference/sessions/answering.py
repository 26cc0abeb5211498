"""The answer to a turn: which prompts the model is shown, what it goes on from, and the masks that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.serving.segmenting import INSIDE_ABOVE_PROBABILITY, segment_case
from annotation_backend.inference.sessions.local_edit import edited
from annotation_backend.inference.sessions.neighbours import as_probability
from annotation_backend.inference.sessions.sessions import Turn, kept_masks
from annotation_backend.registry.models import Model, PromptKind
from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import PicturePlane
from training.methods.needs import BOXED
from training.model_package import Method
from training.prompts.prompt import Box, Prompts

Inside = NDArray[np.bool_]

WHOLE_VOLUME = (Method.SIX_POINTS, Method.CLICKS_3D, Method.DEEPEDIT, Method.TWO_STAGE)
"""Methods whose answer is the mask of the whole case."""

_SAME_TUMOUR = 0.5
"""Boxes that overlap by more than this (intersection over union) are drawn around the same tumour."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model drew.

    Args:
        masks: Boolean (height, width) by slice: the open one, or all of them where the method draws volumes.
        model_version: Who drew, and how the prompt was read.
        score: The model's own estimate of its quality, where it has one.
        seconds: What it took.
    """

    masks: Mapping[int, Inside]
    model_version: str
    score: float | None
    seconds: float


def answer_turn(turn: Turn, heard: Prompts, *, model: Model) -> Answer:
    """Lets a model draw what a turn asks for.

    Args:
        turn: From `sessions.take_turn`.
        heard: What is drawn on the open slice and not accepted yet.
        model: Who draws.

    Raises:
        RejectedInput: The prompts are not what the model needs.
    """
    started = perf_counter()
    method, case = Method(model.method), turn.session.case
    plane = picture_plane(case)
    if method in WHOLE_VOLUME:
        masks, version, score = _volume(turn, plane, model=model)
    else:
        masks, version, score = _slice(turn, heard, plane, model=model)
    return Answer(masks, version, score, perf_counter() - started)


def _slice(
    turn: Turn, heard: Prompts, plane: PicturePlane, *, model: Model
) -> tuple[dict[int, Inside], str, float | None]:
    boxed = Method(model.method) in BOXED
    heard = replace(heard, boxes=_last_of_each(heard.boxes, plane))
    clicks = turn.prompts.get(PromptKind.POINT, Prompts())
    if not boxed:
        _require_a_start(clicks, turn.base)
    drawn = segment_case(
        turn.session.case,
        heard if boxed else clicks,
        model=model,
        slices=(turn.index,),
        previous=None if boxed or not turn.base.any() else as_probability({turn.index: turn.base}, plane),
    )
    mask = plane.to_picture(np.asarray(drawn.probability.data), turn.index) > INSIDE_ABOVE_PROBABILITY
    if not boxed and turn.start.any():
        counting = [click for click in heard.clicks if click in clicks.clicks]  # a click taken back may still be drawn
        mask = edited(turn.start, mask, counting, plane)
    if heard.boxes:
        mask |= _away_from(mask, turn.base, plane, heard)
    return {turn.index: mask}, drawn.model_version, drawn.score


def _volume(turn: Turn, plane: PicturePlane, *, model: Model) -> tuple[dict[int, Inside], str, float | None]:
    kind = turn.kind or PromptKind.POINT
    prompts = turn.everywhere(kind)
    previous = None
    if kind is PromptKind.POINT:
        known = kept_masks(turn.session, plane.shape)
        known[turn.index] = turn.base
        drawn_before = any(mask.any() for mask in known.values())
        _require_a_start(prompts, np.array([drawn_before]))
        previous = as_probability(known, plane) if drawn_before else None
    drawn = segment_case(turn.session.case, prompts, model=model, slices=None, previous=previous)
    pictures = plane.stack(np.asarray(drawn.probability.data)) > INSIDE_ABOVE_PROBABILITY
    return dict(enumerate(pictures)), drawn.model_version, drawn.score


def _require_a_start(prompts: Prompts, base: Inside) -> None:
    """Negative clicks take away; where there is nothing, they say nothing."""
    if not base.any() and not any(click.positive for click in prompts.clicks):
        raise RejectedInput(
            "prompt-negative-only",
            "Expected a click in the tumour first, got only clicks that say where it is not.",
            remedy="Click in the tumour, without Alt.",
        )


def _last_of_each(boxes: Sequence[Box], plane: PicturePlane) -> tuple[Box, ...]:
    """The boxes without those that a later one redraws: who draws a box anew around a tumour means one, not both."""
    kept: list[tuple[Box, Inside]] = []
    for box in reversed(boxes):
        place = _held_by([box], plane)
        if not any((place & other).sum() > _SAME_TUMOUR * (place | other).sum() for _, other in kept):
            kept.insert(0, (box, place))
    return tuple(box for box, _ in kept)


def _held_by(boxes: Sequence[Box], plane: PicturePlane) -> Inside:
    """The pixels that boxes hold."""
    inside = np.zeros(plane.shape, dtype=bool)
    for box in boxes:
        ends = plane.world_to_index([box.corner_mm, box.opposite_mm])[:, 1:]
        low, high = np.floor(ends.min(axis=0)).astype(int), np.ceil(ends.max(axis=0)).astype(int) + 1
        inside[max(low[0], 0) : high[0], max(low[1], 0) : high[1]] = True
    return inside


def _away_from(mask: Inside, base: Inside, plane: PicturePlane, heard: Prompts) -> Inside:
    """The parts of the earlier mask that no box touches: a box redraws what it holds, not another tumour."""
    from scipy import ndimage

    boxed = mask | _held_by(heard.boxes, plane)
    parts, _ = ndimage.label(base)
    touched = np.unique(parts[boxed])
    return np.asarray(base & ~np.isin(parts, touched))
