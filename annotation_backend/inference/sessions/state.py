"""A session as a value: its prompts and its slices' masks, and what each event makes of them. No row is read here."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from annotation_backend.inference.models import PromptState
from annotation_backend.inference.sessions.smart_prompts import SessionCommand
from annotation_backend.registry.models import PromptKind
from datasets.image.mask import Inside
from datasets.image.packed_mask import packed, unpacked
from training.prompts.prompt import Prompts


@dataclass(frozen=True)
class GivenPrompt:
    """A prompt or a command that a session was given.

    Args:
        region_id: Label Studio's id of its region.
        action: A kind of prompt, or a command.
        index: The slice that was open.
        prompts: This prompt alone.
        number: Sequence number of the request that brought it.
        batch: Sequence number of the request that brought the first prompt of its suggestion.
        before: The slice's mask before it, packed; empty if nothing was drawn.
        state: Whether it still counts.
    """

    region_id: str
    action: PromptKind | SessionCommand
    index: int
    prompts: Prompts
    number: int
    batch: int
    before: bytes = b""
    state: PromptState = PromptState.ACTIVE


@dataclass(frozen=True)
class SliceMask:
    """The mask of one slice in a session.

    Args:
        bits: The mask, packed.
        is_answered: Whether it answered a prompt on the slice; False if it was propagated.
        number: Sequence number of the request that it belongs to.
        changed: When it was kept.
    """

    bits: bytes
    is_answered: bool
    number: int
    changed: datetime


@dataclass(frozen=True)
class SessionState:
    """All that a session knows when a request comes.

    Args:
        shape: Height and width of the case's pictures.
        prompts: Prompts that count, and those that Label Studio sends again; the oldest first.
        masks: By slice.
    """

    shape: tuple[int, int]
    prompts: tuple[GivenPrompt, ...] = ()
    masks: Mapping[int, SliceMask] = field(default_factory=dict)

    @property
    def active(self) -> tuple[GivenPrompt, ...]:
        """Prompts that count, without commands."""
        counting = (prompt for prompt in self.prompts if prompt.state == PromptState.ACTIVE)
        return tuple(prompt for prompt in counting if not isinstance(prompt.action, SessionCommand))

    def active_on(self, index: int) -> list[GivenPrompt]:
        """Prompts of one slice that count."""
        return [prompt for prompt in self.active if prompt.index == index]

    def mask_on(self, index: int) -> Inside | None:
        """The mask of a slice; None if the session has none.

        Raises:
            RejectedInput: It belongs to pictures of another size (``packed-mask``).
        """
        return unpacked(self.masks[index].bits, self.shape) if index in self.masks else None

    def mask_before(self, prompt: GivenPrompt) -> Inside:
        """The mask before a prompt.

        Raises:
            RejectedInput: It belongs to pictures of another size (``packed-mask``).
        """
        return unpacked(prompt.before, self.shape) if prompt.before else np.zeros(self.shape, dtype=bool)


@dataclass(frozen=True)
class Given:
    """A prompt is new."""

    prompt: GivenPrompt


@dataclass(frozen=True)
class Moved:
    """A prompt was dragged to another place."""

    region_id: str
    prompts: Prompts


@dataclass(frozen=True)
class Ended:
    """Prompts were undone, or rejected with their suggestion."""

    region_ids: Collection[str]
    state: PromptState


@dataclass(frozen=True)
class Commanded:
    """A command was given, at a time."""

    command: GivenPrompt
    at: datetime


Event = Given | Moved | Ended | Commanded


def apply(state: SessionState, event: Event) -> SessionState:
    """The session after an event.

    Raises:
        RejectedInput: A command brings a mask back that belongs to pictures of another size (``packed-mask``).
    """
    match event:
        case Given(prompt):
            return replace(state, prompts=(*state.prompts, prompt))
        case Moved(region_id, prompts):
            return _with_prompts(state, {region_id}, lambda prompt: replace(prompt, prompts=prompts))
        case Ended(region_ids, ended):
            return _with_prompts(state, region_ids, lambda prompt: replace(prompt, state=ended))
        case Commanded(command, at):
            return _obeyed(state, command, at)


def restored_masks(before: SessionState, after: SessionState) -> dict[int, Inside]:
    """By slice the mask before the first prompt that counts no more; the slice of the last prompt comes first.

    Raises:
        RejectedInput: A mask belongs to pictures of another size (``packed-mask``).
    """
    counting = {prompt.region_id for prompt in after.active}
    gone = [prompt for prompt in before.active if prompt.region_id not in counting]
    return {prompt.index: before.mask_before(prompt) for prompt in reversed(gone)}


def _with_prompts(
    state: SessionState, region_ids: Collection[str], change: Callable[[GivenPrompt], GivenPrompt]
) -> SessionState:
    return replace(
        state,
        prompts=tuple(change(prompt) if prompt.region_id in region_ids else prompt for prompt in state.prompts),
    )


def _obeyed(state: SessionState, command: GivenPrompt, at: datetime) -> SessionState:
    """Takes the last prompt back, or all; a slice without a prompt left has no answer any more."""
    taken_back = state.active[-1:] if command.action is SessionCommand.UNDO else state.active
    left = apply(state, Ended({prompt.region_id for prompt in taken_back}, PromptState.UNDONE))
    restored = restored_masks(state, left)
    prompted = {prompt.index for prompt in left.active}
    masks = {
        index: replace(mask, bits=packed(restored[index]), number=command.number, changed=at)
        if index in restored
        else mask
        for index, mask in left.masks.items()
        if prompted and (index in prompted or index not in restored)
    }
    return replace(left, prompts=(*left.prompts, command), masks=masks)
