"""Sessions: an annotator's prompts on a case are recorded, and the masks that answer them kept.

A session lies in the database, so any web process takes its next request. What a request means is in
`request_events.py`, what it makes of the session in `state.py`.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case, Exclusion
from annotation_backend.inference.models import MaskOrigin, PromptState, Session, SessionPrompt, SessionSlice
from annotation_backend.inference.sessions.request_events import taken
from annotation_backend.inference.sessions.requests import Asked, CurrentMask, SessionRequest
from annotation_backend.inference.sessions.rows import read_state, write_changes
from annotation_backend.inference.sessions.smart_prompts import SessionCommand, SmartPrompt
from datasets.errors import RejectedInput
from datasets.image.mask import Inside
from datasets.image.packed_mask import packed, unpacked

logger = logging.getLogger(__name__)


def session_of(case: Case, person: User | None, label: str = "") -> Session:
    """The annotator's session on the case, made if there is none.

    Args:
        case: The case.
        person: The annotator; None where Label Studio does not say who.
        label: That the prompts draw; empty for the first one of the study.
    """
    return Session.objects.get_or_create(case=case, person=person, label=label)[0]


def last_session_of(case: Case, person: User | None) -> Session:
    """The annotator's session on the case that was asked last, whatever its label; made if there is none."""
    found = Session.objects.filter(case=case, person=person).order_by("changed").last()
    return session_of(case, person) if found is None else found


def prompts_known(case: Case, region_ids: Collection[str]) -> set[str]:
    """The prompts, by Label Studio's ids, that any session on the case has recorded."""
    rows = SessionPrompt.objects.filter(session__case=case, region_id__in=region_ids)
    return set(rows.values_list("region_id", flat=True))


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
        height, width = current.mask.shape
        before = read_state(session, {prompt.region_id for prompt in pending}, shape=(height, width))
        after, request = taken(session, before, Asked(session.turn, index, pending, current, timezone.now()))
        write_changes(session, before, after)
        return request


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
