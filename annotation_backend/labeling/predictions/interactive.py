"""Interactive annotation: smart prompts on an open slice become a mask there, which is propagated to its neighbours."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import Session
from annotation_backend.inference.serving.admission import admitted
from annotation_backend.inference.serving.segmenting import SlicePrediction, keep_record
from annotation_backend.inference.sessions.answering import Answer, answer_request
from annotation_backend.inference.sessions.extreme_points import missing_ends
from annotation_backend.inference.sessions.requests import CurrentMask, SessionRequest
from annotation_backend.inference.sessions.sessions import (
    keep_answer,
    last_session_of,
    prompts_known,
    record_request,
    session_of,
)
from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from annotation_backend.labeling.interface.hints import hint_region
from annotation_backend.labeling.interface.open_task import OpenTask, read_open_task
from annotation_backend.labeling.interface.project_settings import (
    answering_model,
    project_settings,
)
from annotation_backend.labeling.interface.prompts import read_context
from annotation_backend.labeling.masks.regions import Region, region_of
from annotation_backend.labeling.models import LabelingTask
from annotation_backend.labeling.predictions import neighbours
from annotation_backend.labeling.predictions.predictions import region_id_of
from annotation_backend.registry.model_registry import first_label
from annotation_backend.registry.models import PromptKind
from annotation_backend.stages.hiding import may_prompt
from annotation_backend.stages.leases import note_work
from datasets.errors import RejectedInput
from datasets.pictures.picture_plane import PicturePlane
from training.prompts.prompt import LEAST_EXTREME_POINTS, Prompts, joined

logger = logging.getLogger(__name__)

Result = dict[str, Any]

STILL_THERE = timedelta(minutes=15)
"""A prompt of an unknown person goes to the one session on the case that was used within this time."""


def answer(record: LabelingTask, task: Mapping[str, Any], context: Sequence[Region]) -> Result:
    """Answers an interactive request: the prediction and the hint that Label Studio shows after a smart prompt.

    Args:
        record: The open task.
        task: As Label Studio sends it, with drafts, annotations and predictions.
        context: Prompts drawn with smart tools and not accepted yet; empty after a submit.

    Returns:
        One prediction in Label Studio's form: the mask, and a hint that says which prompts were understood. Where a
        prompt cannot be answered, the hint says why, and ``refused`` holds the code.

    Raises:
        RejectedInput: The request is not one that Label Studio's editor makes.
    """
    if record.case.exclusion is not None:
        return _refused(excluded(record.case))
    plane = picture_plane(record.case)
    first = first_label(record.project.study)
    labels = [each.name for each in record.project.protocol.prompted_labels]
    read = read_context(context, plane=plane, index=record.slice_index, labels=labels)
    if not read:
        return _result([], model_version="")
    asking = {prompt.region_id for prompt in read}
    seen = read_open_task(task, plane, asking=asking, label=first)
    person = seen.person or _likely_person(record.case)
    if not may_prompt(person, record.case, record.slice_index):
        return _refused(drawn_by_hand())
    session = _session(record.case, person, read, first=first)
    note_work(session.person, record.case, record.slice_index)
    label = session.label or first
    if label != first:
        seen = read_open_task(task, plane, asking=asking, label=label)
    own = [prompt for prompt in read if prompt.label in ("", label)]
    request = record_request(session, record.slice_index, own, current=CurrentMask(seen.mask, seen.saved))
    if request.command is not None:
        return _undone(record, request, seen, label=label)
    pending = joined(prompt.prompts for prompt in own)
    try:
        return _answered(record, request, pending, seen=seen, plane=plane)
    except RejectedInput as error:
        logger.info("a prompt on %s was refused: %s", record, error.code)
        return _refused(error)


def _session(case: Case, person: User | None, read: Sequence[SmartPrompt], *, first: str) -> Session:
    """The session of the label that the newest prompt draws; a command alone goes to the one that was asked last."""
    pointed = [prompt for prompt in read if prompt.label]
    if not pointed:
        return last_session_of(case, person)
    known = prompts_known(case, {prompt.region_id for prompt in pointed})
    new = [prompt for prompt in pointed if prompt.region_id not in known] or pointed
    label = new[-1].label
    return session_of(case, person, "" if label == first else label)


def _likely_person(case: Case) -> User | None:
    """The only person with a session in use: before the first draft Label Studio does not name the annotator."""
    recent = Session.objects.filter(case=case, person__isnull=False, changed__gt=timezone.now() - STILL_THERE)
    people = list(User.objects.filter(pk__in=recent.values("person"))[:2])
    return people[0] if len(people) == 1 else None


def _answered(
    record: LabelingTask, request: SessionRequest, pending: Prompts, *, seen: OpenTask, plane: PicturePlane
) -> Result:
    kind = request.kind or PromptKind.POINT
    points = request.everywhere(PromptKind.EXTREME_POINTS).extreme_points
    if kind is PromptKind.EXTREME_POINTS and len(points) < LEAST_EXTREME_POINTS:
        return _result([hint_region(_points_missing(points, plane))], model_version="")
    label = request.session.label or first_label(record.project.study)
    model = answering_model(record.project, kind, label)
    with admitted(f"session {request.session.pk}"):
        answer = answer_request(request, pending, model=model)
    if not Case.objects.not_excluded().filter(pk=record.case_id).exists():
        raise excluded(record.case)  # while the model drew
    mask = answer.masks[record.slice_index]
    keep_answer(request, answer.masks, model_version=answer.model_version)
    drawn = SlicePrediction(record.slice_index, mask, answer.score, model, answer.model_version)
    keep_record(record.case, [drawn], joined(request.prompts.values()))
    if not request.session.label:  # a task's predictions show one label
        neighbours.propagate_after_prompt(request, is_drawn=len(answer.masks) > 1)
    logger.info("answered %s on %s with %s in %.3f s", kind, record, answer.model_version, answer.seconds)
    regions = [
        *_mask_regions(record, seen, mask, label=label, score=answer.score),
        hint_region(_understood(request, answer, label=label, seen=bool(mask.any()))),
    ]
    return _result(regions, model_version=answer.model_version, score=answer.score)


def _undone(record: LabelingTask, request: SessionRequest, seen: OpenTask, *, label: str) -> Result:
    """The answer to an undo or a new start: the slice as it was before."""
    if request.command is SessionCommand.START_OVER:
        text = "Started over: the prompts on this case are forgotten. What you submitted stays."
    elif not request.restored:
        return _result([hint_region("There is no prompt to take back.")], model_version="")
    else:
        index = next(iter(request.restored))
        where = "this slice" if index == record.slice_index else f"slice {index}"
        text = f"Took back the last prompt, on {where}."
    if not request.session.label:
        neighbours.propagate_after_prompt(request)
    mask = request.restored.get(record.slice_index)
    regions = [] if mask is None else _mask_regions(record, seen, mask, label=label, score=None)
    return _result([*regions, hint_region(text)], model_version="")


def _mask_regions(
    record: LabelingTask, seen: OpenTask, mask: Any, *, label: str, score: float | None
) -> list[dict[str, Any]]:
    """The mask in place of what is there: Label Studio replaces the region whose id comes back.

    The largest region of the label becomes the mask; any other only loses the pixels that the mask no longer holds.
    """
    sizes = {identifier: int(part.mask.sum()) for identifier, part in seen.parts.items()}
    main = max(sizes, key=lambda identifier: sizes[identifier], default=None)
    if main is None:
        chosen = project_settings(record.project).mask_format
        region_id = region_id_of(record, label)
        return [region_of(mask, region_id=region_id, score=score, label=label, mask_format=chosen)]
    shown = seen.parts[main].mask_format
    regions = [region_of(mask, region_id=main, score=score, label=label, mask_format=shown)]
    for identifier, part in seen.parts.items():
        if identifier != main and (part.mask & ~mask).any():
            rest = part.mask & mask
            regions.append(region_of(rest, region_id=identifier, score=None, label=label, mask_format=part.mask_format))
    return regions


def _understood(request: SessionRequest, answer: Answer, *, label: str, seen: bool) -> str:
    """The hint after an answer: which prompts were understood, and which model drew."""
    prompts = request.prompts.get(request.kind or PromptKind.POINT, Prompts())
    if request.kind is PromptKind.POINT:
        given = _counted(prompts, label)
    elif request.kind is PromptKind.BOX:
        given = "Box"
    else:
        given = "Six extreme points"
    if not seen:
        return f"{given}: {answer.model_version} found nothing here. Try another prompt, or brush."
    follow = "" if request.session.label else "; next slices follow"
    return f"{given}: drawn by {answer.model_version} in {answer.seconds:.1f} s. Accept with the tick{follow}."


def _counted(prompts: Prompts, label: str) -> str:
    inside = sum(click.positive for click in prompts.clicks)
    outside = len(prompts.clicks) - inside
    beside = f", {outside} beside it" if outside else ""
    return f"{inside} click{'' if inside == 1 else 's'} in the {label.lower()}{beside}"


def _points_missing(points: Sequence[Any], plane: PicturePlane) -> str:
    missing = missing_ends(points, plane)
    so_far = f"{len(points)} of {LEAST_EXTREME_POINTS} extreme points."
    if len(points) < 2:
        return f"{so_far} Two more ends on this slice, or go on on other slices."
    return f"{so_far} Missing: {'; '.join(missing)}."


def _refused(error: RejectedInput) -> Result:
    answered = _result([hint_region(f"{error.message} {error.remedy}")], model_version="")
    return {**answered, "refused": {"code": error.code, "message": str(error)}}


def excluded(case: Case) -> RejectedInput:
    """The refusal to draw on an excluded case; without the exclusion's reason, which annotators need not know."""
    return RejectedInput(
        "case-excluded",
        f"{case.code} is excluded: models do not draw on it, and saves on it count nowhere.",
        remedy="Go on with another case; a data manager can take the exclusion back.",
    )


def drawn_by_hand() -> RejectedInput:
    """The refusal to draw in a stage that hides models."""
    return RejectedInput(
        "drawn-by-hand",
        "This stage is drawn by hand: no model draws in it, and prompts are not answered.",
        remedy="Take the brush; remove this prompt.",
    )


def _result(regions: list[dict[str, Any]], *, model_version: str, score: float | None = None) -> Result:
    return {"result": regions, "score": score or 0.0, "model_version": model_version}
