"""A request to a session: as it came in (`Asked`), and as it is answered (`SessionRequest`).

Label Studio sends all prompts of one kind that are drawn on the open slice and not accepted yet. After a suggestion was
accepted or rejected its prompts vanish there, and Label Studio does not say which of the two happened; the next request
shows it by the mask on the slice (`CurrentMask`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from annotation_backend.inference.models import Session
from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from annotation_backend.inference.sessions.state import GivenPrompt
from annotation_backend.registry.models import PromptKind
from datasets.image.mask import Inside
from datasets.image.packed_mask import packed
from training.prompts.prompt import Prompts, joined


@dataclass(frozen=True, eq=False)
class CurrentMask:
    """The mask on the open slice in Label Studio.

    Args:
        mask: Boolean (height, width): the tumour as last saved, or as predicted.
        saved: When the annotator's own draft or annotation was saved; None if there is only a prediction, or nothing.
    """

    mask: Inside
    saved: datetime | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """A request as it came in.

    Args:
        number: Its sequence number in the session.
        index: The open slice.
        pending: Prompts and commands that are drawn there and not accepted yet.
        current: The mask on the slice.
        at: When it came.
    """

    number: int
    index: int
    pending: Sequence[SmartPrompt]
    current: CurrentMask
    at: datetime

    @property
    def pointed(self) -> list[SmartPrompt]:
        """The prompts, without commands."""
        return [prompt for prompt in self.pending if not isinstance(prompt.action, SessionCommand)]

    @property
    def region_ids(self) -> set[str]:
        """Of the prompts, without commands."""
        return {prompt.region_id for prompt in self.pointed}

    def given(self, prompt: SmartPrompt, before: Inside, *, batch: int) -> GivenPrompt:
        """A prompt or command of this request as the session keeps it."""
        bits = packed(before) if before.any() else b""
        return GivenPrompt(prompt.region_id, prompt.action, self.index, prompt.prompts, self.number, batch, before=bits)


@dataclass(frozen=True, eq=False)
class SessionRequest:
    """A recorded request of a session: the active prompts, and the masks to edit or restore.

    Args:
        session: The annotator's session on the case.
        number: Sequence number of the request; an answer to an older request never replaces that to a newer one.
        index: The open slice.
        kind: The kind of prompt that decides the model; None after a command.
        base: Mask of the slice that this answer edits.
        start: Mask to restore if the whole suggestion is rejected: that before its first prompt.
        prompts: Active prompts of the slice by kind.
        elsewhere: Active prompts of the case's other slices by kind.
        command: Undo or start over; None if a prediction is wanted.
        restored: Masks that a command brought back, by slice.
    """

    session: Session
    number: int
    index: int
    kind: PromptKind | None
    base: Inside
    start: Inside
    prompts: Mapping[PromptKind, Prompts] = field(default_factory=dict)
    elsewhere: Mapping[PromptKind, Prompts] = field(default_factory=dict)
    command: SessionCommand | None = None
    restored: Mapping[int, Inside] = field(default_factory=dict)

    def everywhere(self, kind: PromptKind) -> Prompts:
        """Active prompts of one kind on all slices."""
        return joined([self.elsewhere.get(kind, Prompts()), self.prompts.get(kind, Prompts())])
