"""What a request tells: the events that it brings, and the mask that its answer edits. No row is read here."""

from collections.abc import Iterable, Iterator
from functools import reduce

import numpy as np

from annotation_backend.inference.models import PromptState, Session
from annotation_backend.inference.sessions.requests import Asked, SessionRequest
from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from annotation_backend.inference.sessions.state import (
    Commanded,
    Ended,
    Event,
    Given,
    GivenPrompt,
    Moved,
    SessionState,
    apply,
    restored_masks,
)
from annotation_backend.registry.models import PromptKind
from datasets.image.mask import Inside
from training.prompts.prompt import Prompts, joined

STRONGEST_FIRST = (PromptKind.EXTREME_POINTS, PromptKind.BOX, PromptKind.POINT)
"""The first of these among a request's prompts decides the model."""


def taken(session: Session, before: SessionState, asked: Asked) -> tuple[SessionState, SessionRequest]:
    """Takes a request into a session's state.

    Args:
        session: The session; only named in the request.
        before: Its state when the request came.
        asked: The request.

    Returns:
        The state after it, and the request as it is answered.

    Raises:
        RejectedInput: A mask that is needed belongs to pictures of another size (``packed-mask``).
    """
    events = events_of(before, asked)
    after = reduce(apply, events, before)
    commands = [event.command for event in events if isinstance(event, Commanded)]
    restored = restored_masks(before, after) if commands else {}
    kinds = {prompt.action for prompt in asked.pointed}
    base = restored.get(asked.index, asked.current.mask) if commands else _base(before, asked)
    return after, SessionRequest(
        session,
        asked.number,
        asked.index,
        None if commands else next((kind for kind in STRONGEST_FIRST if kind in kinds), None),
        base,
        asked.current.mask if commands else _start(after, asked, base),
        prompts=_by_kind(after.active_on(asked.index)),
        elsewhere=_by_kind(prompt for prompt in after.active if prompt.index != asked.index),
        command=SessionCommand(commands[-1].action) if commands else None,
        restored=restored,
    )


def events_of(state: SessionState, asked: Asked) -> list[Event]:
    """What happened, as far as a request tells: new commands alone, else prompts that ended, were dragged or are new.

    Raises:
        RejectedInput: A mask that is needed belongs to pictures of another size (``packed-mask``).
    """
    commands = _new_commands(state, asked)
    if commands:
        mask = asked.current.mask
        return [Commanded(asked.given(command, mask, batch=asked.number), asked.at) for command in commands]
    return [*_ended(state, asked), *_moved(state, asked), *_new(state, asked)]


def _new_commands(state: SessionState, asked: Asked) -> list[SmartPrompt]:
    """Commands that were not obeyed before: Label Studio sends each again with the next one."""
    wanted = {prompt.region_id: prompt for prompt in asked.pending if isinstance(prompt.action, SessionCommand)}
    done = {prompt.region_id for prompt in state.prompts}
    return [prompt for identifier, prompt in wanted.items() if identifier not in done]


def _is_still_drawn(state: SessionState, asked: Asked) -> bool:
    """Whether the last suggestion is open: some of the slice's prompts are neither accepted nor rejected."""
    return any(prompt.region_id in asked.region_ids for prompt in state.active_on(asked.index))


def _ended(state: SessionState, asked: Asked) -> Iterator[Ended]:
    if _is_still_drawn(state, asked):
        deleted = _deleted(state, asked)
        if deleted:
            yield Ended(deleted, PromptState.UNDONE)
    else:
        rejected = _rejected(state, asked)
        if rejected:
            yield Ended(rejected, PromptState.REJECTED)


def _deleted(state: SessionState, asked: Asked) -> set[str]:
    """Prompts that the annotator deleted while others of their suggestion stayed."""
    kinds = {prompt.action for prompt in asked.pointed}
    here = [prompt for prompt in state.active_on(asked.index) if prompt.action in kinds]
    open_batches = {prompt.batch for prompt in here if prompt.region_id in asked.region_ids}
    return {prompt.region_id for prompt in here if prompt.batch in open_batches} - asked.region_ids


def _rejected(state: SessionState, asked: Asked) -> set[str]:
    """The last suggestion's prompts, if a draft that was saved later shows the slice as it was before them."""
    here, answer, saved = state.active_on(asked.index), state.masks.get(asked.index), asked.current.saved
    if not here or answer is None or saved is None or saved <= answer.changed:
        return set()
    last = [prompt for prompt in here if prompt.batch == here[-1].batch and prompt.action != PromptKind.EXTREME_POINTS]
    if not last or not np.array_equal(state.mask_before(last[0]), asked.current.mask):
        return set()
    return {prompt.region_id for prompt in last}


def _moved(state: SessionState, asked: Asked) -> Iterator[Moved]:
    known = {prompt.region_id: prompt for prompt in state.prompts if prompt.state == PromptState.ACTIVE}
    for prompt in asked.pointed:
        if prompt.region_id in known and known[prompt.region_id].prompts != prompt.prompts:
            yield Moved(prompt.region_id, prompt.prompts)


def _new(state: SessionState, asked: Asked) -> Iterator[Given]:
    known = {prompt.region_id: prompt.batch for prompt in state.prompts if prompt.region_id in asked.region_ids}
    base = _base(state, asked)
    batch = min(known.values(), default=asked.number)
    for prompt in asked.pointed:
        if prompt.region_id not in known:
            yield Given(asked.given(prompt, base, batch=batch))


def _base(state: SessionState, asked: Asked) -> Inside:
    """The mask to edit: the last answer while its prompts are still drawn, else the mask that the annotator kept.

    That is the newer of the saved draft and the last answer, which may not be saved yet.
    """
    kept, saved = state.masks.get(asked.index), asked.current.saved
    if not _is_still_drawn(state, asked) and (
        kept is None or not kept.is_answered or (saved is not None and saved > kept.changed)
    ):
        return asked.current.mask
    answer = state.mask_on(asked.index)
    return asked.current.mask if answer is None else answer


def _start(after: SessionState, asked: Asked, base: Inside) -> Inside:
    """The mask before the first prompt that is still drawn."""
    drawn = [prompt for prompt in after.active_on(asked.index) if prompt.region_id in asked.region_ids]
    return after.mask_before(drawn[0]) if drawn else base


def _by_kind(prompts: Iterable[GivenPrompt]) -> dict[PromptKind, Prompts]:
    given = list(prompts)
    kinds = dict.fromkeys(PromptKind(prompt.action) for prompt in given)
    return {kind: joined(prompt.prompts for prompt in given if prompt.action == kind) for kind in kinds}
