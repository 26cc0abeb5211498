"""Slice propagation after a prompt or a save: redraws the neighbours, so that the next slice opens already right.

Runs in the web process that answered, where models and volumes are in memory, one case at a time and after the answer;
a newer prompt of the same session ends it. It draws predictions only, so nothing is lost when the process ends.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from django.db import close_old_connections, transaction

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.inference.models import MaskOrigin, Session
from annotation_backend.inference.serving.admission import process_admission
from annotation_backend.inference.sessions.propagation import PROPAGATED, propagated_masks
from annotation_backend.inference.sessions.requests import SessionRequest
from annotation_backend.inference.sessions.sessions import keep_propagated, kept_masks, session_of
from annotation_backend.labeling.models import Annotation, LabelingTask
from annotation_backend.labeling.predictions.predictions import push_masks, push_predictions, waiting_tasks
from annotation_backend.labeling.saves.confirm import confirm_saves
from annotation_backend.labeling.versions.assembly import current_saves
from annotation_backend.labeling.versions.decoded_masks import mask_in, stored_masks
from annotation_backend.stages.hiding import drawn_without_models, is_read_apart
from datasets.errors import MaskloopError
from datasets.image.mask import Inside

logger = logging.getLogger(__name__)


REACH = 5
"""Slices on either side that are redrawn after one prompt; further ones after prompts and saves on these."""

_QUIET_SECONDS = 0.5
"""Seconds without a new prompt before neighbours are redrawn, so quick clicks are not slowed by needless work."""

_ASKS = 4
"""A webhook comes before Label Studio has stored the save, so Label Studio is asked about it several times."""

_GIVES_WAY_SECONDS = 2.0

_PUSHED_FIRST, _PUSHED_TOGETHER = 2, 6


@dataclass(frozen=True)
class Due:
    """A pending redraw of the slices around `index`, for a person's session on a case.

    It is dropped if the session has a newer request than `request`; with None it never is for that. After a save,
    Label Studio is asked about the save first, up to `asks` times.
    """

    case: int
    person: int | None
    index: int
    at: float
    request: int | None = None
    is_drawn: bool = False
    asks: int = 0

    @property
    def session(self) -> tuple[int, int | None]:
        """Case and person: only the newest redraw of each session counts."""
        return self.case, self.person


class Propagator:
    """One thread a process, and the newest pending redraw of each session."""

    def __init__(self) -> None:
        self._due: dict[tuple[int, int | None], Due] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(self, due: Due) -> None:
        """Has a redraw done when its time comes, in place of an earlier one of its session; returns at once."""
        with self._changed:
            self._due[due.session] = due
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="propagation", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            due = self._next()
            try:
                redraw(due)
            except MaskloopError as error:
                logger.warning("the neighbours of slice %d stay as they were: %s", due.index, error)
            except Exception:
                logger.exception("redrawing the neighbours of slice %d failed", due.index)
            finally:
                close_old_connections()

    def _next(self) -> Due:
        with self._changed:
            while True:
                first = min(self._due.values(), key=lambda due: due.at, default=None)
                wait = None if first is None else first.at - time.monotonic()
                if first is not None and wait is not None and wait <= 0:
                    return self._due.pop(first.session)
                self._changed.wait(wait)


propagator = Propagator()
"""Of this process."""


def propagate_after_prompt(request: SessionRequest, *, is_drawn: bool = False) -> None:
    """Propagates the slice's new mask to its neighbours soon, in the background; returns at once.

    Args:
        request: The request with the prompt.
        is_drawn: Whether the session holds the neighbours' new masks already (methods that draw volumes).
    """
    session = request.session
    _ask(Due(session.case_id, session.person_id, request.index, _soon(), request.number, is_drawn))


def propagate_after_save(annotation: Annotation) -> None:
    """Propagates a submitted slice's mask to its neighbours soon, in the background; returns at once."""
    task = annotation.task
    _ask(Due(task.case_id, annotation.author_id, task.slice_index, _soon(), asks=_ASKS))


def _soon() -> float:
    return time.monotonic() + _QUIET_SECONDS


def _ask(due: Due) -> None:
    transaction.on_commit(lambda: propagator.ask(due))


def redraw(due: Due) -> None:
    """Redraws the slices around one now, unless a newer prompt has a redraw of its own, or the case was excluded.

    Where readers are kept apart, or draw without models, nothing is redrawn: all would see it.

    A redraw after a save asks Label Studio about the save first, and is put off while it does not have it.

    Raises:
        MaskloopError: The case's files were changed, or Label Studio does not answer.
    """
    session = _session(due)
    if session is None or is_read_apart(session.case) or drawn_without_models([session.case]):
        return
    if due.asks and confirm_saves(session.case):
        propagator.ask(replace(due, at=time.monotonic() + _QUIET_SECONDS, asks=due.asks - 1))
        return
    due = replace(due, request=session.turn)
    tasks = _waiting(session)
    answered = kept_masks(session, picture_plane(session.case).shape, origin=MaskOrigin.ANSWERED)
    known = {**answered, **_saved(session.case)}
    free = {index: task for index, task in tasks.items() if index not in known}
    if not any(mask.any() for mask in known.values()):
        _back_to_the_start(session, free)
        return
    masks = _kept(session, free) if due.is_drawn else _propagated(session, due, known, free)
    _push(session, masks, free, due=due)


def _session(due: Due) -> Session | None:
    """The session of a redraw; None where a newer prompt has one of its own, or the case was excluded."""
    case = Case.objects.select_related("study").get(pk=due.case)
    if case.exclusion is not None:
        return None
    person = None if due.person is None else User.objects.get(pk=due.person)
    session = session_of(case, person)
    session.case = case
    return session if due.request in (None, session.turn) else None


def _saved(case: Case) -> dict[int, Inside]:
    """Masks that people submitted, by slice: they always win over a model's."""
    label = case.protocol.prompted_label
    if label is None:
        return {}
    saves = {index: save for index, save in current_saves(case).items() if save is not None}
    return {index: mask_in(stored_masks(save), label.name) for index, save in saves.items()}


def _waiting(session: Session) -> dict[int, LabelingTask]:
    """The tasks that nobody submitted, by slice."""
    return {row.slice_index: row for row in waiting_tasks(session.case).select_related("project")}


def _back_to_the_start(session: Session, tasks: Mapping[int, LabelingTask]) -> None:
    """No mask is known any more: shows the initial masks again."""
    LabelingTask.objects.filter(pk__in=[task.pk for task in tasks.values()]).update(drawn_by=None)
    push_predictions(session.case)


def _kept(session: Session, tasks: Mapping[int, LabelingTask]) -> Iterator[tuple[int, Inside, str]]:
    shape = picture_plane(session.case).shape
    versions = dict(session.slices.values_list("index", "model_version"))
    for index, mask in kept_masks(session, shape, origin=MaskOrigin.PROPAGATED).items():
        if index in tasks:
            yield index, mask, versions[index]


def _propagated(
    session: Session, due: Due, known: Mapping[int, Inside], tasks: Mapping[int, LabelingTask]
) -> Iterator[tuple[int, Inside, str]]:
    wanted = [index for index in tasks if abs(index - due.index) <= REACH]
    for index, mask in propagated_masks(session.case, known, wanted, drawn=_drawn_by_a_model(session)):
        if not _is_newest(due):
            return
        keep_propagated(session, {index: mask}, turn=session.turn, model_version=PROPAGATED)
        _let_people_first()
        yield index, mask, PROPAGATED


def _drawn_by_a_model(session: Session) -> dict[int, Inside] | None:
    """The session's masks of the whole volume, where a model drew it, with those propagated since."""
    if not session.slices.filter(origin=MaskOrigin.PROPAGATED).exclude(model_version=PROPAGATED).exists():
        return None
    return kept_masks(session, picture_plane(session.case).shape)


def _push(
    session: Session,
    masks: Iterator[tuple[int, Inside, str]],
    tasks: Mapping[int, LabelingTask],
    *,
    due: Due,
) -> None:
    """The nearest at once, the others in larger parts: each push is two requests to Label Studio."""
    part: list[tuple[LabelingTask, Inside, str]] = []
    limit = _PUSHED_FIRST
    for index, mask, version in masks:
        part.append((tasks[index], mask, version))
        if len(part) == limit:
            push_masks(part)
            part, limit = [], _PUSHED_TOGETHER
    if part and _is_newest(due):
        push_masks(part)
    logger.info("redrew the slices around %d of %s", due.index, session.case)


def _is_newest(due: Due) -> bool:
    case = Case.objects.filter(pk=due.case).first()
    if case is None or case.exclusion is not None:  # the doctor puts its case away again
        return False
    rows = Session.objects.filter(case=due.case, person=due.person, label="")
    return due.request is None or rows.filter(turn=due.request).exists()


def _let_people_first() -> None:
    """A person who waits for an answer goes before slices that nobody looks at yet."""
    until = time.monotonic() + _GIVES_WAY_SECONDS
    while process_admission().is_busy and time.monotonic() < until:
        time.sleep(0.02)
