"""A session's rows as a state, and what changed in the state as rows. Both under the lock of the session's row."""

from collections.abc import Collection

from django.db.models import Q

from annotation_backend.inference.models import MaskOrigin, PromptState, Session, SessionPrompt
from annotation_backend.inference.sessions.smart_prompts import SessionCommand
from annotation_backend.inference.sessions.state import GivenPrompt, SessionState, SliceMask
from annotation_backend.registry.models import PromptKind
from training.prompts.prompt_document import as_document, from_document


def read_state(session: Session, region_ids: Collection[str], *, shape: tuple[int, int]) -> SessionState:
    """A session's state.

    Args:
        session: The session.
        region_ids: Of prompts and commands that Label Studio sends now: also those that count no more are read.
        shape: Height and width of the case's pictures.
    """
    counting = Q(state=PromptState.ACTIVE) & ~Q(asks__in=[*SessionCommand])
    rows = session.prompts.filter(counting | Q(region_id__in=region_ids))
    return SessionState(
        shape,
        tuple(_given(row) for row in rows),
        {
            row.index: SliceMask(bytes(row.bits), row.origin == MaskOrigin.ANSWERED, row.turn, row.changed)
            for row in session.slices.all()
        },
    )


def write_changes(session: Session, before: SessionState, after: SessionState) -> None:
    """Stores in which prompts and masks a session's state differs from the one that was read."""
    known = {prompt.region_id: prompt for prompt in before.prompts}
    changed = [(known[now.region_id], now) for now in after.prompts if now.region_id in known]
    for state in PromptState:
        ended = [now.region_id for was, now in changed if now.state == state != was.state]
        if ended:
            session.prompts.filter(region_id__in=ended).update(state=state)
    for was, now in changed:
        if now.prompts != was.prompts:
            session.prompts.filter(region_id=now.region_id).update(place=as_document(now.prompts))
    SessionPrompt.objects.bulk_create(_row(session, now) for now in after.prompts if now.region_id not in known)
    _write_masks(session, before, after)


def _write_masks(session: Session, before: SessionState, after: SessionState) -> None:
    gone = before.masks.keys() - after.masks.keys()
    if gone:
        session.slices.filter(index__in=gone).delete()
    for index, mask in after.masks.items():
        if mask != before.masks[index]:
            session.slices.filter(index=index).update(bits=mask.bits, turn=mask.number, changed=mask.changed)


def _given(row: SessionPrompt) -> GivenPrompt:
    is_command = row.asks in [*SessionCommand]
    return GivenPrompt(
        row.region_id,
        SessionCommand(row.asks) if is_command else PromptKind(row.asks),
        row.slice_index,
        from_document(row.place),
        number=row.turn,
        batch=row.batch,
        before=bytes(row.before),
        state=PromptState(row.state),
    )


def _row(session: Session, prompt: GivenPrompt) -> SessionPrompt:
    return SessionPrompt(
        session=session,
        region_id=prompt.region_id,
        asks=prompt.action,
        slice_index=prompt.index,
        place=as_document(prompt.prompts),
        turn=prompt.number,
        batch=prompt.batch,
        before=prompt.before,
    )
