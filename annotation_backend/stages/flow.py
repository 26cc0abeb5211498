"""A case's way from stage to stage, as its protocol says: each step in one transaction, with a row that tells of it.

A case that is locked waits: saves, verdicts, exclusions and stages all lock it first.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.utils.timezone import now

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.stages.models import (
    Assignment,
    AssignmentState,
    CaseStage,
    Reading,
    StageState,
    Transition,
)
from annotation_backend.stages.signals import assignment_ended, sent_back, stage_closed, stage_opened
from datasets.errors import RejectedInput
from datasets.study.stage import OpensNext, Stage, WantedSlices


def begin(case: Case) -> list[CaseStage]:
    """Opens the stages with which a case begins, where it has not begun; the open stages, whichever they are.

    Open rows of stages that the protocol does not have (any more) end here.
    """
    with transaction.atomic():
        lock(case)
        steps = {stage.name: stage for stage in case.protocol.steps}
        gone = [row for row in open_rows(case) if row.stage not in steps]
        for row in gone:
            _close(row, StageState.ENDED, why="the protocol changed")
        if gone and not open_rows(case):
            _open_what_is_due(case, steps.values())
        known = CaseStage.objects.filter(case=case, stage__in=steps).exclude(state=StageState.ENDED)
        if not known.exists():
            for stage in steps.values():
                if not stage.after:
                    _open(case, stage)
    return open_rows(case)


def open_rows(case: Case) -> list[CaseStage]:
    """The open stages of a case, in the order in which they were opened."""
    return list(CaseStage.objects.filter(case=case, state=StageState.OPEN).select_related("case__study"))


def finish(row: CaseStage, *, person: User | None = None, why: str = "") -> list[CaseStage]:
    """Closes a stage that is done and opens those that waited for it; returns the opened ones.

    A stage before it that was let go on meanwhile is done with it.

    Raises:
        RejectedInput: It is closed already (``stage-closed``).
    """
    with transaction.atomic():
        row = _locked(row)
        for before in open_rows(row.case):
            if row.rules is not None and before.stage in row.rules.after:
                _close(before, StageState.DONE, person=person, why=f"{row.stage} is done")
        _close(row, StageState.DONE, person=person, why=why)
        return _open_what_follows(row.case, row.stage, is_added=row.is_added)


def send_back(
    row: CaseStage, *, person: User | None, why: str, slices: Collection[int] | None = None
) -> list[CaseStage]:
    """Closes a stage as sent back and opens the one that its protocol names, for the people who did it before.

    Where that one went on meanwhile, its round ends here: what is asked for is a new one's work.

    Args:
        row: The stage.
        person: Who sends it back.
        why: What is asked for.
        slices: Those that it is about; None for the whole case.

    Raises:
        RejectedInput: It is closed already, or the protocol names no stage to return to (``stage-no-return``).
    """
    with transaction.atomic():
        row = _locked(row)
        target = _named(row, row.rules.returns_to if row.rules else "", "stage-no-return", "sends no case back")
        _close(row, StageState.RETURNED, person=person, why=why)
        for going_on in CaseStage.objects.filter(case=row.case, stage=target.name, state=StageState.OPEN):
            _close(going_on, StageState.DONE, person=person, why=f"{row.stage} sent the case back")
        again = _open(row.case, target, why=why, asked=slices, is_sent_back=True)
        sent_back.send(sender=CaseStage, row=again, why=why)
        return [again]


def send_down(row: CaseStage, *, person: User | None, why: str) -> list[CaseStage]:
    """Closes a stage and opens the drawing stage below it on the ladder, where the case is drawn afresh.

    Raises:
        RejectedInput: It is closed already, or no ladder begins at it (``stage-no-ladder``).
    """
    with transaction.atomic():
        row = _locked(row)
        target = _named(row, row.rules.goes_down_to if row.rules else "", "stage-no-ladder", "sends no case down")
        _close(row, StageState.WENT_DOWN, person=person, why=why)
        return [_open(row.case, target, is_fresh=True, why=why)]


def reopen(case: Case, *, why: str) -> list[CaseStage]:
    """Opens the last stage of a case again, because what was approved has changed; nothing where one is open."""
    with transaction.atomic():
        lock(case)
        last = CaseStage.objects.filter(case=case, state=StageState.DONE).order_by("closed_at", "pk").last()
        if open_rows(case) or last is None or last.rules is None:
            return open_rows(case)
        again = [_open(case, last.rules, why=why)]
        before = [stage for stage in case.protocol.steps if stage.name in last.rules.after]
        again += [_open(case, stage, why=why) for stage in before if lets_go_on(stage)]
    return again


def add(case: Case, names: Collection[str], *, person: User | None, why: str) -> list[CaseStage]:
    """Opens stages for a finished case that a later version of the protocol added; none where it is not finished.

    What was approved stays so until somebody decides otherwise there: nothing that was looked at has changed.

    Args:
        case: The case.
        names: Of the stages that were added; those before which another is not done wait for it.
        person: Who changed the protocol; None for a command.
        why: Kept with the change.
    """
    with transaction.atomic():
        lock(case)
        steps = case.protocol.steps
        if not is_finished(case):
            return []
        due = [
            stage
            for stage in steps
            if stage.name in names
            and stage.after
            and not is_ladder_rung(stage, steps)
            and not _was_in(case, stage)
            and _may_begin(case, stage)
        ]
        return [_open(case, stage, why=why, person=person, asked=None, is_added=True) for stage in due]


def follow(case: Case, drawn: Mapping[int, datetime]) -> list[CaseStage]:
    """Takes account of what is drawn on a case: closes drawing stages that are done, opens those that waited.

    Args:
        case: The case.
        drawn: When each slice that counts was drawn, by index.

    Returns:
        The stages that were opened.
    """
    opened: list[CaseStage] = []
    with transaction.atomic():
        lock(case)
        begin(case)
        for row in open_rows(case):
            stage = row.rules
            if stage is None or not stage.draws or stage.keeps_readings:
                continue
            if _is_complete(row, stage, drawn):
                opened += finish(row, why="every slice is drawn")
            elif lets_go_on(stage) and (since := _drawn_in(row, drawn)):
                opened += _open_what_follows(case, row.stage, newest=max(since), is_added=row.is_added)
    return opened


def ask_no_more(case: Case, index: int) -> bool:
    """Takes a slice out of what a return asks for: its comments were closed, drawn again or not.

    Must run in a transaction that holds the case's lock.

    Returns:
        Whether it was asked for.
    """
    asking = [row for row in open_rows(case) if row.asked_slices and index in row.asked_slices]
    for row in asking:
        row.asked_slices = [one for one in row.asked_slices or () if one != index]
        row.save(update_fields=["asked_slices"])
    return bool(asking)


def begin_what_follows(row: CaseStage) -> list[CaseStage]:
    """Opens the stages after a drawing stage that lets them begin, and goes on itself; returns those.

    Must run in a transaction that holds the case's lock.
    """
    return _open_what_follows(row.case, row.stage, is_added=row.is_added)


def lets_go_on(stage: Stage) -> bool:
    """Whether the stages after a drawing stage begin while it goes on."""
    return stage.draws and stage.opens_next is OpensNext.ANY_SLICE and not stage.keeps_readings


def is_ladder_rung(stage: Stage, steps: Iterable[Stage]) -> bool:
    """Whether a stage begins only where another sends a case down to it."""
    return any(one.goes_down_to == stage.name for one in steps)


def is_finished(case: Case) -> bool:
    """Whether a case has come to the end of its protocol's way: nothing is open, and something was done."""
    rows = CaseStage.objects.filter(case=case)
    return rows.filter(state=StageState.DONE).exists() and not rows.filter(state=StageState.OPEN).exists()


def fresh_since(cases: Iterable[Case]) -> dict[int, datetime]:
    """By case: since when what is drawn counts, where the case went down a ladder; one query for all."""
    rows = CaseStage.objects.filter(case__in=[case.pk for case in cases], is_fresh=True).order_by("opened_at")
    return dict(rows.values_list("case", "opened_at"))


def forget_stages(case: Case) -> None:
    """Removes all that is known of a rehearsal's stages, the one kind of case that is ever removed."""
    for model in (Assignment, Reading, Transition):
        model.objects.filter(row__case=case, row__case__is_rehearsal=True).delete()
    CaseStage.objects.filter(case=case, case__is_rehearsal=True).delete()


def close_control(row: CaseStage) -> None:
    """Closes a person's work on a control case; the case stays where it is."""
    CaseStage.every.filter(pk=row.pk, is_control=True).update(state=StageState.DONE, closed_at=now())


def lock(case: Case) -> None:
    """Keeps the case for this transaction."""
    Case.objects.select_for_update().get(pk=case.pk)


def _locked(row: CaseStage) -> CaseStage:
    lock(row.case)
    fresh = CaseStage.objects.select_related("case__study").get(pk=row.pk)
    if not fresh.is_open:
        raise RejectedInput(
            "stage-closed", f"This stage of {row.case} is {fresh.get_state_display().lower()}.", remedy="Load the page."
        )
    return fresh


def _named(row: CaseStage, name: str, code: str, words: str) -> Stage:
    found = {stage.name: stage for stage in row.case.protocol.steps}.get(name)
    if found is None:
        raise RejectedInput(code, f"{row.stage} {words}.", remedy="Have the protocol say whither.")
    return found


def _drawn_in(row: CaseStage, drawn: Mapping[int, datetime]) -> list[datetime]:
    """When slices were drawn that count in a stage: what was before it was added does not."""
    return [moment for moment in drawn.values() if not row.is_added or moment > row.opened_at]


def _is_complete(row: CaseStage, stage: Stage, drawn: Mapping[int, datetime]) -> bool:
    """Whether all that a drawing stage wants is drawn, and what is asked for once more since then.

    Whoever has a whole case back says when it is repaired, by handing in. So does a stage that lets the next one begin
    go on in a later round: nobody knows how many slices are still to be repaired.
    """
    if stage.opens_next is OpensNext.HAND_IN or stage.slices is WantedSlices.ADJACENT:
        return False
    since = [moment for moment in drawn.values() if not row.is_repeated or moment > row.opened_at]
    if stage.slices is WantedSlices.CENTRE:
        return bool(since)
    if row.is_repeated and lets_go_on(stage):
        return False
    if row.is_repeated and row.asked_slices is None and row.assignments.filter(state=AssignmentState.OPEN).exists():
        return False
    is_repaired = all(index in drawn and drawn[index] > row.opened_at for index in row.asked_slices or ())
    return bool(since) and is_repaired and set(row.case.slices.values_list("index", flat=True)) <= set(drawn)


def _open_what_follows(
    case: Case, name: str, *, newest: datetime | None = None, is_added: bool = False
) -> list[CaseStage]:
    """Opens the stages after one that is done, or goes on; one that was closed since `newest` stays closed."""
    steps = case.protocol.steps
    opened = []
    for stage in steps:
        if name not in stage.after or is_ladder_rung(stage, steps):
            continue
        last = CaseStage.objects.filter(case=case, stage=stage.name).order_by("round").last()
        is_behind = last is not None and newest is not None and last.closed_at is not None and newest <= last.closed_at
        if (last is not None and last.is_open) or is_behind or not _may_begin(case, stage):
            continue
        opened.append(_open(case, stage, is_added=is_added))
    return opened


def _open_what_is_due(case: Case, steps: Iterable[Stage]) -> None:
    """Opens the stages that are not done while all before them are: a case is never left without a way on."""
    steps = list(steps)
    for stage in steps:
        rows = CaseStage.objects.filter(case=case, stage=stage.name).exclude(state=StageState.ENDED)
        last = rows.order_by("round").last()
        is_done = last is not None and last.state == StageState.DONE
        if stage.after and not is_done and not is_ladder_rung(stage, steps) and _may_begin(case, stage):
            _open(case, stage)
    begun = CaseStage.objects.filter(case=case, stage__in=[stage.name for stage in steps])
    if not open_rows(case) and begun.exclude(state=StageState.ENDED).exists():
        for stage in steps:
            if not stage.after:
                _open(case, stage)


def _was_in(case: Case, stage: Stage) -> bool:
    return CaseStage.objects.filter(case=case, stage=stage.name).exclude(state=StageState.ENDED).exists()


def _may_begin(case: Case, stage: Stage) -> bool:
    """Whether all stages before one are done, or let it begin while they go on."""
    steps = {one.name: one for one in case.protocol.steps}
    for name in stage.after:
        last = CaseStage.objects.filter(case=case, stage=name).order_by("round").last()
        is_done = last is not None and last.state == StageState.DONE
        if not is_done and not (last is not None and last.is_open and lets_go_on(steps[name])):
            return False
    return True


def _open(
    case: Case,
    stage: Stage,
    *,
    why: str = "",
    person: User | None = None,
    asked: Collection[int] | None = (),
    is_fresh: bool = False,
    is_added: bool = False,
    is_sent_back: bool = False,
) -> CaseStage:
    """Opens a stage's next round, unless one is open.

    Args:
        case: The case.
        stage: Its rules.
        why: Why it is opened.
        person: Who opened it; None for the way itself.
        asked: Slices to be drawn again; None for all, none where nothing is asked for once more.
        is_fresh: Whether what was drawn before counts no more.
        is_added: Whether a later version of the protocol added it behind what the case has been through.
        is_sent_back: Whether a later stage sent the case back.
    """
    last = CaseStage.objects.filter(case=case, stage=stage.name).order_by("round").last()
    if last is not None and last.is_open:
        return last
    row = CaseStage.objects.create(
        case=case,
        stage=stage.name,
        round=last.round + 1 if last else 1,
        is_fresh=is_fresh,
        is_added=is_added,
        asked_slices=None if asked is None else sorted(asked),
    )
    Transition.objects.create(row=row, state=StageState.OPEN, person=person, why=why[:200], created=row.opened_at)
    stage_opened.send(sender=CaseStage, row=row, is_sent_back=is_sent_back)
    return row


def _close(row: CaseStage, state: StageState, *, person: User | None = None, why: str = "") -> None:
    row.state, row.closed_at = state, now()
    row.save(update_fields=["state", "closed_at"])
    Transition.objects.create(row=row, state=state, person=person, why=why[:200], created=row.closed_at)
    for assignment in Assignment.objects.filter(row=row, state=AssignmentState.OPEN):
        assignment.state, assignment.ended_at = AssignmentState.DONE, row.closed_at
        assignment.save(update_fields=["state", "ended_at"])
        assignment_ended.send(sender=Assignment, assignment=assignment)
    stage_closed.send(sender=CaseStage, row=row, person=person)
