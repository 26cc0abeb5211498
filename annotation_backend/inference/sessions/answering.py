"""The answer to an interactive request: the prompts that the model is given, the mask it edits, the masks it draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.serving.segmenting import INSIDE_ABOVE_PROBABILITY, segment_case
from annotation_backend.inference.sessions.local_edit import edited
from annotation_backend.inference.sessions.propagation import as_probability
from annotation_backend.inference.sessions.requests import SessionRequest
from annotation_backend.inference.sessions.sessions import kept_masks
from annotation_backend.registry.models import Model, PromptKind
from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import Box, Prompts
from training.table.method import Extent, PromptType
from training.table.table import method_called

_SAME_TUMOUR = 0.5
"""Boxes that overlap by more than this (intersection over union) are drawn around the same tumour."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A model's prediction for one request.

    Args:
        masks: Boolean (height, width) by slice: the open slice, or all slices if the method draws volumes.
        model_version: Name and version of the model, and how the prompt was read.
        score: The model's own estimate of its quality, if it has one.
        seconds: How long the model took.
    """

    masks: Mapping[int, Inside]
    model_version: str
    score: float | None
    seconds: float


def answer_request(request: SessionRequest, pending: Prompts, *, model: Model) -> Answer:
    """Lets a model answer a request.

    Args:
        request: From `sessions.record_request`.
        pending: Prompts that are drawn on the open slice and not accepted yet.
        model: The model.

    Raises:
        RejectedInput: The model cannot use the prompts.
    """
    started = perf_counter()
    plane = picture_plane(request.session.case)
    if method_called(model.method).extent is Extent.VOLUME:
        masks, version, score = _volume(request, plane, model=model)
    else:
        masks, version, score = _slice(request, pending, plane, model=model)
    return Answer(masks, version, score, perf_counter() - started)


def _slice(
    request: SessionRequest, pending: Prompts, plane: PicturePlane, *, model: Model
) -> tuple[dict[int, Inside], str, float | None]:
    boxed = method_called(model.method).usual_prompt is PromptType.BOX
    pending = replace(pending, boxes=_last_of_each(pending.boxes, plane))
    clicks = request.prompts.get(PromptKind.POINT, Prompts())
    if not boxed:
        _require_a_start(clicks, request.base)
    drawn = segment_case(
        request.session.case,
        pending if boxed else clicks,
        model=model,
        slices=(request.index,),
        previous=as_probability({request.index: request.base}, plane) if request.base.any() and not boxed else None,
    )
    mask = plane.to_picture(np.asarray(drawn.probability.data), request.index) > INSIDE_ABOVE_PROBABILITY
    if request.start.any() and not boxed:
        counting = [click for click in pending.clicks if click in clicks.clicks]  # an undone click may still be drawn
        mask = edited(request.start, mask, counting, plane)
    if pending.boxes:
        mask |= _away_from(mask, request.base, plane, pending)
    return {request.index: mask}, drawn.model_version, drawn.score


def _volume(
    request: SessionRequest, plane: PicturePlane, *, model: Model
) -> tuple[dict[int, Inside], str, float | None]:
    kind = request.kind or PromptKind.POINT
    prompts = request.everywhere(kind)
    previous = None
    if kind is PromptKind.POINT:
        known = kept_masks(request.session, plane.shape)
        known[request.index] = request.base
        drawn_before = any(mask.any() for mask in known.values())
        _require_a_start(prompts, np.array([drawn_before]))
        previous = as_probability(known, plane) if drawn_before else None
    drawn = segment_case(request.session.case, prompts, model=model, slices=None, previous=previous)
    pictures = plane.stack(np.asarray(drawn.probability.data)) > INSIDE_ABOVE_PROBABILITY
    return dict(enumerate(pictures)), drawn.model_version, drawn.score


def _require_a_start(prompts: Prompts, base: Inside) -> None:
    """Refuses negative clicks alone on an empty mask: they can only remove."""
    if not base.any() and not any(click.positive for click in prompts.clicks):
        raise RejectedInput(
            "prompt-negative-only",
            "All clicks are negative and nothing is drawn yet, so there is nothing to remove.",
            remedy="Click in the tumour first, without Alt.",
        )


def _last_of_each(boxes: Sequence[Box], plane: PicturePlane) -> tuple[Box, ...]:
    """The boxes without duplicates: a box drawn again around the same tumour replaces the earlier one."""
    kept: list[tuple[Box, Inside]] = []
    for box in reversed(boxes):
        place = _held_by([box], plane)
        if not any((place & other).sum() > _SAME_TUMOUR * (place | other).sum() for _, other in kept):
            kept.insert(0, (box, place))
    return tuple(box for box, _ in kept)


def _held_by(boxes: Sequence[Box], plane: PicturePlane) -> Inside:
    """The pixels inside boxes."""
    inside = np.zeros(plane.shape, dtype=bool)
    for box in boxes:
        ends = plane.world_to_index([box.corner_mm, box.opposite_mm])[:, 1:]
        low, high = np.floor(ends.min(axis=0)).astype(int), np.ceil(ends.max(axis=0)).astype(int) + 1
        inside[max(low[0], 0) : high[0], max(low[1], 0) : high[1]] = True
    return inside


def _away_from(mask: Inside, base: Inside, plane: PicturePlane, pending: Prompts) -> Inside:
    """The parts of the earlier mask that no box touches: a box replaces the mask inside it, not another tumour's."""
    from scipy import ndimage

    boxed = mask | _held_by(pending.boxes, plane)
    parts, _ = ndimage.label(base)
    touched = np.unique(parts[boxed])
    return np.asarray(base & ~np.isin(parts, touched))
