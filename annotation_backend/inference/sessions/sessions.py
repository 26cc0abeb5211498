"""Sessions: an annotator's prompts on a case, undo and start over, and the mask that the next prediction edits.

Label Studio sends all prompts of one kind that are drawn on the open slice and not accepted yet. After a suggestion was
accepted or rejected its prompts vanish there, and Label Studio does not say which of the two happened; the next request
shows it by the mask on the slice (`CurrentMask`). A session lies in the database, so any web process takes its next
request.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case, Exclusion
from annotation_backend.inference.models import MaskOrigin, PromptState, Session, SessionPrompt, SessionSlice
from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.image.packed_mask import packed, unpacked
from training.prompts.prompt import Prompts, joined
from training.prompts.prompt_document import as_document, from_document

logger = logging.getLogger(__name__)

STRONGEST_FIRST = (PromptKind.EXTREME_POINTS, PromptKind.BOX, PromptKind.POINT)
"""The first of these among a request's prompts decides the model."""


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


def session_of(case: Case, person: User | None) -> Session:
    """The annotator's session on the case, made if there is none."""
    return Session.objects.get_or_create(case=case, person=person)[0]


def record_request(
    session: Session, index: int, pending: Sequence[SmartPrompt], *, current: CurrentMask
) -> SessionRequest:
    """Records a request's prompts or commands in its session, with the prompts that were undone or rejected since.

    Args:
        session: The annotator's session on the case.
        index: The open slice.
        pending: Prompts and commands that are drawn there and not accepted yet; not empty.
        current: The mask on the slice.
    """
    try:
        return _recorded(session, index, pending, current=current)
    except RejectedInput as error:
        if error.code != "packed-mask":
            raise
        logger.warning("the pictures of %s were replaced since; it starts over", session)
        _forget(session)
        return _recorded(session, index, pending, current=current)


def _recorded(session: Session, index: int, pending: Sequence[SmartPrompt], *, current: CurrentMask) -> SessionRequest:
    with transaction.atomic():
        session = Session.objects.select_for_update().get(pk=session.pk)
        session.turn = F("turn") + 1
        session.save(update_fields=["turn", "changed"])
        session.refresh_from_db(fields=["turn"])
        return _Recorder(session, index, current).request(pending)


def end_sessions(case: Case) -> None:
    """Ends all sessions on a case: drops their masks and undoes their prompts."""
    for session in Session.objects.filter(case=case):
        _forget(session)


def _forget(session: Session) -> None:
    """Drops a session's masks and undoes its prompts: they no longer fit the case's pictures."""
    with transaction.atomic():
        session.slices.all().delete()
        session.prompts.filter(state=PromptState.ACTIVE).update(state=PromptState.UNDONE)
        session.prompts.update(before=b"")


def keep_answer(request: SessionRequest, masks: Mapping[int, Inside], *, model_version: str) -> None:
    """Keeps the answer to a request: the open slice's mask, and those of other slices that the model drew with it.

    The answer to a newer request stays; after a newer undo or start over, and for an excluded case, nothing is kept.

    Args:
        request: The request that they answer.
        masks: By slice; the open slice's counts as answered, the others as propagated.
        model_version: The model that drew them.
    """
    session, turn = request.session, request.number
    others = {index: mask for index, mask in masks.items() if index != request.index}
    _keep(session, {request.index: masks[request.index]}, MaskOrigin.ANSWERED, turn=turn, version=model_version)
    keep_propagated(session, others, turn=turn, model_version=model_version)


def keep_propagated(session: Session, masks: Mapping[int, Inside], *, turn: int, model_version: str) -> None:
    """Keeps propagated masks of slices; a mask that answered a prompt stays."""
    _keep(session, masks, MaskOrigin.PROPAGATED, turn=turn, version=model_version)


def _keep(session: Session, masks: Mapping[int, Inside], origin: MaskOrigin, *, turn: int, version: str) -> None:
    with transaction.atomic():
        if Session.objects.select_for_update().filter(pk=session.pk).first() is None:  # its case was removed meanwhile
            return
        closed = Exclusion.objects.filter(case=session.case_id, ended__isnull=True).exists()
        if closed or session.prompts.filter(asks__in=[*SessionCommand], turn__gt=turn).exists():
            return
        known = {row.index: row for row in session.slices.filter(index__in=list(masks))}
        rows = [
            SessionSlice(
                session=session,
                index=index,
                bits=packed(mask),
                origin=origin,
                turn=turn,
                model_version=version,
                changed=timezone.now(),
            )
            for index, mask in masks.items()
            if index not in known or _is_replaced(known[index], turn, origin)
        ]
        SessionSlice.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["session", "index"],
            update_fields=["bits", "origin", "turn", "model_version", "changed"],
        )


def kept_masks(session: Session, shape: tuple[int, int], *, origin: MaskOrigin | None = None) -> dict[int, Inside]:
    """The session's masks by slice, all or those of one origin; without those of pictures that were replaced since."""
    rows = session.slices.all() if origin is None else session.slices.filter(origin=origin)
    found: dict[int, Inside] = {}
    for row in rows:
        with suppress(RejectedInput):
            found[row.index] = unpacked(bytes(row.bits), shape)
    return found


def _is_replaced(row: SessionSlice, turn: int, origin: MaskOrigin) -> bool:
    """Whether a kept mask is replaced by one of this turn: a propagated mask never replaces an answered one."""
    if origin is MaskOrigin.PROPAGATED and row.origin == MaskOrigin.ANSWERED:
        return False
    return row.turn <= turn


class _Recorder:
    """Records one request inside a transaction."""

    def __init__(self, session: Session, index: int, current: CurrentMask) -> None:
        self._session = session
        self._index = index
        self._current = current
        self._rows = list(session.prompts.filter(state=PromptState.ACTIVE).exclude(asks__in=[*SessionCommand]))
        self._slice = session.slices.filter(index=index).first()

    def request(self, pending: Sequence[SmartPrompt]) -> SessionRequest:
        commands = self._new_commands(pending)
        if commands:
            return self._obeyed(commands)
        pointed = [prompt for prompt in pending if not isinstance(prompt.action, SessionCommand)]
        base = self._base(pointed)
        self._undo_deleted(pointed)
        self._add_new(pointed, base)
        kinds = {prompt.action for prompt in pointed}
        kind = next((kind for kind in STRONGEST_FIRST if kind in kinds), None)
        return SessionRequest(
            self._session,
            self._session.turn,
            self._index,
            kind,
            base,
            self._start(pointed, base),
            prompts=self._by_kind(here=True),
            elsewhere=self._by_kind(here=False),
        )

    def _new_commands(self, pending: Sequence[SmartPrompt]) -> list[SmartPrompt]:
        """Commands that were not obeyed before: Label Studio sends each again with the next one."""
        asked = {prompt.region_id: prompt for prompt in pending if isinstance(prompt.action, SessionCommand)}
        done = set(self._session.prompts.filter(region_id__in=asked).values_list("region_id", flat=True))
        return [prompt for identifier, prompt in asked.items() if identifier not in done]

    def _obeyed(self, commands: Sequence[SmartPrompt]) -> SessionRequest:
        restored: dict[int, Inside] = {}
        for command in commands:
            self._store(command, self._current.mask, batch=self._session.turn)
            undone = self._rows[-1:] if command.action is SessionCommand.UNDO else self._rows
            for row in reversed(undone):
                restored[row.slice_index] = self._before(row)
            self._undo(undone)
        self._forget_answers(restored)
        return SessionRequest(
            self._session,
            self._session.turn,
            self._index,
            None,
            restored.get(self._index, self._current.mask),
            self._current.mask,
            prompts=self._by_kind(here=True),
            elsewhere=self._by_kind(here=False),
            command=SessionCommand(commands[-1].action),
            restored=restored,
        )

    def _forget_answers(self, restored: Mapping[int, Inside]) -> None:
        """Restores the masks from before; a slice without a prompt left has no answer any more."""
        pointed_at = {row.slice_index for row in self._rows}
        rows = self._session.slices
        if not pointed_at:
            rows.all().delete()
        rows.filter(index__in=set(restored) - pointed_at).delete()
        for index in set(restored) & pointed_at:
            rows.filter(index=index).update(
                bits=packed(restored[index]), turn=self._session.turn, changed=timezone.now()
            )

    def _base(self, pending: Sequence[SmartPrompt]) -> Inside:
        """The mask to edit: the last answer while its prompts are still drawn, else the mask the annotator kept."""
        identifiers = {prompt.region_id for prompt in pending}
        if any(row.region_id in identifiers for row in self._here()):
            return self._answer() if self._slice else self._current.mask
        self._reject_last()
        return self._kept()

    def _start(self, pending: Sequence[SmartPrompt], base: Inside) -> Inside:
        """The mask before the first prompt that is still drawn."""
        identifiers = {prompt.region_id for prompt in pending}
        first = next((row for row in self._here() if row.region_id in identifiers), None)
        return base if first is None else self._before(first)

    def _kept(self) -> Inside:
        """The mask that the annotator kept: the newer of the saved draft and the last answer, perhaps not saved yet."""
        saved = self._current.saved
        if self._slice is None or self._slice.origin != MaskOrigin.ANSWERED:
            return self._current.mask
        if saved is not None and saved > self._slice.changed:
            return self._current.mask
        return self._answer()

    def _reject_last(self) -> None:
        """Marks the last suggestion's prompts as rejected if a later draft shows the slice as it was before them."""
        rows = self._here()
        saved = self._current.saved
        if not rows or self._slice is None or saved is None or saved <= self._slice.changed:
            return
        last = [row for row in rows if row.batch == rows[-1].batch and row.asks != PromptKind.EXTREME_POINTS]
        if last and np.array_equal(self._before(last[0]), self._current.mask):
            self._undo(last, state=PromptState.REJECTED)

    def _undo_deleted(self, pending: Sequence[SmartPrompt]) -> None:
        """Undoes prompts that the annotator deleted while others of their suggestion stayed."""
        identifiers = {prompt.region_id for prompt in pending}
        kinds = {prompt.action for prompt in pending}
        rows = [row for row in self._here() if row.asks in kinds]
        alive = {row.batch for row in rows if row.region_id in identifiers}
        self._undo([row for row in rows if row.batch in alive and row.region_id not in identifiers])

    def _add_new(self, pending: Sequence[SmartPrompt], base: Inside) -> None:
        known = {
            row.region_id: row
            for row in self._session.prompts.filter(region_id__in=[prompt.region_id for prompt in pending])
        }
        batch = min((row.batch for row in known.values()), default=self._session.turn)
        for prompt in pending:
            row = known.get(prompt.region_id)
            if row is None:
                self._rows.append(self._store(prompt, base, batch=batch))
            elif row.state == PromptState.ACTIVE and row.place != as_document(prompt.prompts):
                self._move(row, prompt)

    def _move(self, row: SessionPrompt, prompt: SmartPrompt) -> None:
        """Records that a prompt was dragged to another place."""
        SessionPrompt.objects.filter(pk=row.pk).update(place=as_document(prompt.prompts))
        for mine in self._rows:
            if mine.pk == row.pk:
                mine.place = as_document(prompt.prompts)

    def _store(self, prompt: SmartPrompt, before: Inside, *, batch: int) -> SessionPrompt:
        return SessionPrompt.objects.create(
            session=self._session,
            region_id=prompt.region_id,
            asks=prompt.action,
            slice_index=self._index,
            place=as_document(prompt.prompts),
            turn=self._session.turn,
            batch=batch,
            before=packed(before) if before.any() else b"",
        )

    def _undo(self, rows: Sequence[SessionPrompt], *, state: PromptState = PromptState.UNDONE) -> None:
        undone = {row.pk for row in rows}
        if undone:
            SessionPrompt.objects.filter(pk__in=undone).update(state=state)
        self._rows = [row for row in self._rows if row.pk not in undone]

    def _here(self) -> list[SessionPrompt]:
        return [row for row in self._rows if row.slice_index == self._index]

    def _answer(self) -> Inside:
        return unpacked(bytes(self._slice.bits), self._shape) if self._slice else self._current.mask

    def _before(self, row: SessionPrompt) -> Inside:
        return unpacked(bytes(row.before), self._shape) if row.before else np.zeros(self._shape, dtype=bool)

    @property
    def _shape(self) -> tuple[int, int]:
        height, width = self._current.mask.shape
        return height, width

    def _by_kind(self, *, here: bool) -> dict[PromptKind, Prompts]:
        rows = [row for row in self._rows if (row.slice_index == self._index) is here]
        kinds = {row.asks for row in rows}
        return {
            PromptKind(kind): joined(from_document(row.place) for row in rows if row.asks == kind) for kind in kinds
        }
