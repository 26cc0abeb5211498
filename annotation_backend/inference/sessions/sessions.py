"""A session's turns: what a person pointed at, what was taken back, and the mask that the next answer starts from.

Label Studio sends all prompts of one kind that are drawn on the open slice and not accepted yet. After a suggestion was
accepted or rejected its prompts vanish there, and nothing says which of the two it was; the next request shows it by
what is on the slice then (`Shown`). All of a session lies in the database, so any web process takes the next turn.
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
from numpy.typing import NDArray

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case, Exclusion
from annotation_backend.inference.models import MaskOrigin, PromptState, Session, SessionPrompt, SessionSlice
from annotation_backend.inference.sessions.smart_prompts import SmartPrompt, Wish
from annotation_backend.registry.models import PromptKind
from datasets.errors import RejectedInput
from datasets.image.packed_mask import packed, unpacked
from training.prompts.prompt import Prompts, joined
from training.prompts.prompt_document import as_document, from_document

logger = logging.getLogger(__name__)

Inside = NDArray[np.bool_]

STRONGEST_FIRST = (PromptKind.EXTREME_POINTS, PromptKind.BOX, PromptKind.POINT)
"""Which kind decides the model where several come at once."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What lies on the open slice as the person last saved it.

    Args:
        mask: Boolean (height, width); what counts as the tumour there.
        saved: When the person's own draft or annotation was saved; None where it is only a prediction, or nothing.
    """

    mask: Inside
    saved: datetime | None = None


@dataclass(frozen=True, eq=False)
class Turn:
    """What a request asks of a session, after it was taken down.

    Args:
        session: Whose.
        number: Counts the session's requests; an answer to an older one never replaces a newer one's.
        index: The open slice.
        kind: Which kind of prompt decides the model; None after a wish.
        base: The slice's mask to go on from.
        start: The slice's mask before the first prompt of this suggestion.
        prompts: Active prompts of the slice by kind.
        elsewhere: Active prompts of the case's other slices by kind.
        wish: What was asked for instead of a mask.
        restored: Masks that a wish brought back, by slice.
    """

    session: Session
    number: int
    index: int
    kind: PromptKind | None
    base: Inside
    start: Inside
    prompts: Mapping[PromptKind, Prompts] = field(default_factory=dict)
    elsewhere: Mapping[PromptKind, Prompts] = field(default_factory=dict)
    wish: Wish | None = None
    restored: Mapping[int, Inside] = field(default_factory=dict)

    def everywhere(self, kind: PromptKind) -> Prompts:
        """Active prompts of one kind on all slices."""
        return joined([self.elsewhere.get(kind, Prompts()), self.prompts.get(kind, Prompts())])


def session_of(case: Case, person: User | None) -> Session:
    """The person's session on the case, made where there is none."""
    return Session.objects.get_or_create(case=case, person=person)[0]


def take_turn(session: Session, index: int, heard: Sequence[SmartPrompt], *, shown: Shown) -> Turn:
    """Takes down what a request says and what follows from it.

    Args:
        session: Whose.
        index: The open slice.
        heard: All that is drawn there and not accepted yet; not empty.
        shown: What lies on the slice.
    """
    try:
        return _taken_down(session, index, heard, shown=shown)
    except RejectedInput as error:
        if error.code != "packed-mask":
            raise
        logger.warning("%s is of pictures that were replaced since; it begins anew", session)
        _forget(session)
        return _taken_down(session, index, heard, shown=shown)


def _taken_down(session: Session, index: int, heard: Sequence[SmartPrompt], *, shown: Shown) -> Turn:
    with transaction.atomic():
        session = Session.objects.select_for_update().get(pk=session.pk)
        session.turn = F("turn") + 1
        session.save(update_fields=["turn", "changed"])
        session.refresh_from_db(fields=["turn"])
        return _Taken(session, index, shown).turn(heard)


def end_sessions(case: Case) -> None:
    """Forgets what anybody prompted on a case; an answer that is under way to an excluded one is not kept."""
    for session in Session.objects.filter(case=case):
        _forget(session)


def _forget(session: Session) -> None:
    """Masks and prompts that no longer fit the case's pictures count no more."""
    with transaction.atomic():
        session.slices.all().delete()
        session.prompts.filter(state=PromptState.ACTIVE).update(state=PromptState.UNDONE)
        session.prompts.update(before=b"")


def keep_answer(turn: Turn, masks: Mapping[int, Inside], *, model_version: str) -> None:
    """Keeps what a turn was answered with: the open slice's mask, and those that came along.

    What a newer turn was answered with stays; after a newer undo or new start, and of an excluded case, none is kept.

    Args:
        turn: That they answer.
        masks: By slice; the open one's counts as answered, the others as carried.
        model_version: Who drew them.
    """
    others = {index: mask for index, mask in masks.items() if index != turn.index}
    _keep(turn.session, {turn.index: masks[turn.index]}, MaskOrigin.ANSWERED, turn=turn.number, version=model_version)
    keep_carried(turn.session, others, turn=turn.number, model_version=model_version)


def keep_carried(session: Session, masks: Mapping[int, Inside], *, turn: int, model_version: str) -> None:
    """Keeps masks of slices that were drawn from other slices; what a prompt was answered with stays."""
    _keep(session, masks, MaskOrigin.CARRIED, turn=turn, version=model_version)


def _keep(session: Session, masks: Mapping[int, Inside], origin: MaskOrigin, *, turn: int, version: str) -> None:
    with transaction.atomic():
        if Session.objects.select_for_update().filter(pk=session.pk).first() is None:  # its case was put away meanwhile
            return
        closed = Exclusion.objects.filter(case=session.case_id, ended__isnull=True).exists()
        if closed or session.prompts.filter(asks__in=[*Wish], turn__gt=turn).exists():
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
            if index not in known or _gives_way(known[index], turn, origin)
        ]
        SessionSlice.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["session", "index"],
            update_fields=["bits", "origin", "turn", "model_version", "changed"],
        )


def kept_masks(session: Session, shape: tuple[int, int], *, origin: MaskOrigin | None = None) -> dict[int, Inside]:
    """The session's masks by slice, all or those of one origin; none of pictures that were replaced since."""
    rows = session.slices.all() if origin is None else session.slices.filter(origin=origin)
    found: dict[int, Inside] = {}
    for row in rows:
        with suppress(RejectedInput):
            found[row.index] = unpacked(bytes(row.bits), shape)
    return found


def _gives_way(row: SessionSlice, turn: int, origin: MaskOrigin) -> bool:
    if origin is MaskOrigin.CARRIED and row.origin == MaskOrigin.ANSWERED:
        return False
    return row.turn <= turn


class _Taken:
    """A request while it is taken down, inside a transaction."""

    def __init__(self, session: Session, index: int, shown: Shown) -> None:
        self._session = session
        self._index = index
        self._shown = shown
        self._rows = list(session.prompts.filter(state=PromptState.ACTIVE).exclude(asks__in=[*Wish]))
        self._slice = session.slices.filter(index=index).first()

    def turn(self, heard: Sequence[SmartPrompt]) -> Turn:
        wishes = self._new_wishes(heard)
        if wishes:
            return self._granted(wishes)
        pointed = [prompt for prompt in heard if not isinstance(prompt.asks, Wish)]
        base = self._base(pointed)
        self._take_back_deleted(pointed)
        self._add_new(pointed, base)
        kinds = {prompt.asks for prompt in pointed}
        kind = next((kind for kind in STRONGEST_FIRST if kind in kinds), None)
        return Turn(
            self._session,
            self._session.turn,
            self._index,
            kind,
            base,
            self._start(pointed, base),
            prompts=self._by_kind(here=True),
            elsewhere=self._by_kind(here=False),
        )

    def _new_wishes(self, heard: Sequence[SmartPrompt]) -> list[SmartPrompt]:
        """Wishes that were not granted before: Label Studio sends each again with the next one."""
        asked = {prompt.region_id: prompt for prompt in heard if isinstance(prompt.asks, Wish)}
        done = set(self._session.prompts.filter(region_id__in=asked).values_list("region_id", flat=True))
        return [prompt for identifier, prompt in asked.items() if identifier not in done]

    def _granted(self, wishes: Sequence[SmartPrompt]) -> Turn:
        restored: dict[int, Inside] = {}
        for wish in wishes:
            self._store(wish, self._shown.mask, batch=self._session.turn)
            taken = self._rows[-1:] if wish.asks is Wish.UNDO else self._rows
            for row in reversed(taken):
                restored[row.slice_index] = self._before(row)
            self._take_back(taken)
        self._forget_answers(restored)
        return Turn(
            self._session,
            self._session.turn,
            self._index,
            None,
            restored.get(self._index, self._shown.mask),
            self._shown.mask,
            prompts=self._by_kind(here=True),
            elsewhere=self._by_kind(here=False),
            wish=Wish(wishes[-1].asks),
            restored=restored,
        )

    def _forget_answers(self, restored: Mapping[int, Inside]) -> None:
        """Slices get back the mask from before; those without a prompt left are nobody's answer any more."""
        pointed_at = {row.slice_index for row in self._rows}
        rows = self._session.slices
        if not pointed_at:
            rows.all().delete()
        rows.filter(index__in=set(restored) - pointed_at).delete()
        for index in set(restored) & pointed_at:
            rows.filter(index=index).update(
                bits=packed(restored[index]), turn=self._session.turn, changed=timezone.now()
            )

    def _base(self, heard: Sequence[SmartPrompt]) -> Inside:
        """The mask to go on from: the last answer while its prompts are still drawn, else what the person kept."""
        identifiers = {prompt.region_id for prompt in heard}
        if any(row.region_id in identifiers for row in self._here()):
            return self._answer() if self._slice else self._shown.mask
        self._settle_rejected()
        return self._current()

    def _start(self, heard: Sequence[SmartPrompt], base: Inside) -> Inside:
        """The mask before the first prompt that is still drawn."""
        identifiers = {prompt.region_id for prompt in heard}
        first = next((row for row in self._here() if row.region_id in identifiers), None)
        return base if first is None else self._before(first)

    def _current(self) -> Inside:
        """What the person kept: the newer of the saved draft and the last answer, which may not be saved yet."""
        saved = self._shown.saved
        if self._slice is None or self._slice.origin != MaskOrigin.ANSWERED:
            return self._shown.mask
        if saved is not None and saved > self._slice.changed:
            return self._shown.mask
        return self._answer()

    def _settle_rejected(self) -> None:
        """Takes the last suggestion's prompts out where the person's later draft shows the slice as before them."""
        rows = self._here()
        saved = self._shown.saved
        if not rows or self._slice is None or saved is None or saved <= self._slice.changed:
            return
        last = [row for row in rows if row.batch == rows[-1].batch and row.asks != PromptKind.EXTREME_POINTS]
        if last and np.array_equal(self._before(last[0]), self._shown.mask):
            self._take_back(last, state=PromptState.REJECTED)

    def _take_back_deleted(self, heard: Sequence[SmartPrompt]) -> None:
        """A point that was deleted while others of its suggestion stayed is missing among them."""
        identifiers = {prompt.region_id for prompt in heard}
        kinds = {prompt.asks for prompt in heard}
        rows = [row for row in self._here() if row.asks in kinds]
        alive = {row.batch for row in rows if row.region_id in identifiers}
        self._take_back([row for row in rows if row.batch in alive and row.region_id not in identifiers], now=True)

    def _add_new(self, heard: Sequence[SmartPrompt], base: Inside) -> None:
        known = {
            row.region_id: row
            for row in self._session.prompts.filter(region_id__in=[prompt.region_id for prompt in heard])
        }
        batch = min((row.batch for row in known.values()), default=self._session.turn)
        for prompt in heard:
            row = known.get(prompt.region_id)
            if row is None:
                self._rows.append(self._store(prompt, base, batch=batch))
            elif row.state == PromptState.ACTIVE and row.place != as_document(prompt.prompts):
                self._move(row, prompt)

    def _move(self, row: SessionPrompt, prompt: SmartPrompt) -> None:
        """A prompt that was dragged to another place."""
        SessionPrompt.objects.filter(pk=row.pk).update(place=as_document(prompt.prompts))
        for mine in self._rows:
            if mine.pk == row.pk:
                mine.place = as_document(prompt.prompts)

    def _store(self, prompt: SmartPrompt, before: Inside, *, batch: int) -> SessionPrompt:
        return SessionPrompt.objects.create(
            session=self._session,
            region_id=prompt.region_id,
            asks=prompt.asks,
            slice_index=self._index,
            place=as_document(prompt.prompts),
            turn=self._session.turn,
            batch=batch,
            before=packed(before) if before.any() else b"",
        )

    def _take_back(
        self, rows: Sequence[SessionPrompt], *, state: PromptState = PromptState.UNDONE, now: bool = True
    ) -> None:
        taken = {row.pk for row in rows}
        if taken and now:
            SessionPrompt.objects.filter(pk__in=taken).update(state=state)
        self._rows = [row for row in self._rows if row.pk not in taken]

    def _here(self) -> list[SessionPrompt]:
        return [row for row in self._rows if row.slice_index == self._index]

    def _answer(self) -> Inside:
        return unpacked(bytes(self._slice.bits), self._shape) if self._slice else self._shown.mask

    def _before(self, row: SessionPrompt) -> Inside:
        return unpacked(bytes(row.before), self._shape) if row.before else np.zeros(self._shape, dtype=bool)

    @property
    def _shape(self) -> tuple[int, int]:
        height, width = self._shown.mask.shape
        return height, width

    def _by_kind(self, *, here: bool) -> dict[PromptKind, Prompts]:
        rows = [row for row in self._rows if (row.slice_index == self._index) is here]
        kinds = {row.asks for row in rows}
        return {
            PromptKind(kind): joined(from_document(row.place) for row in rows if row.asks == kind) for kind in kinds
        }
