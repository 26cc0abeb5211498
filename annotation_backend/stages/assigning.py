"""Gives pieces of a stage's work to people, with leases; the database lets no two people have one slice."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import cast

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.registration.register import require_in_use
from annotation_backend.stages.flow import begin_what_follows, close_control, finish, lets_go_on, lock
from annotation_backend.stages.models import (
    WHOLE_CASE,
    AssignedSlice,
    Assignment,
    AssignmentState,
    CaseStage,
    Reading,
)
from annotation_backend.stages.signals import annotators_asked, assigned, assignment_ended, work_asked, work_given
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import has_role_in
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy, OpensNext, Stage, StageWork, WantedSlices


def assign(
    row: CaseStage,
    person: User,
    slices: Sequence[int] = (WHOLE_CASE,),
    *,
    how: AssignedBy,
    why: str = "",
    by: User | None = None,
    begins_at: int | None = None,
) -> Assignment:
    """Gives a piece of an open stage's work to a person.

    Args:
        row: The stage.
        person: With the role that the stage asks for.
        slices: Indices; `WHOLE_CASE` for work on the case as a whole.
        how: A claim has a lease; other assignments have none.
        why: Shown to the person.
        by: Who gave it out; None for the person, or for the machine.
        begins_at: The slice that is proposed to begin with.

    Raises:
        RejectedInput: The stage is closed (``stage-closed``), the person may not do it (``stage-not-theirs``,
            ``stage-drew-before``), the case is excluded (``case-excluded``), or somebody else has one of the slices
            (``slice-taken``).
    """
    with transaction.atomic():
        lock(row.case)
        row = CaseStage.every.select_related("case__study").get(pk=row.pk)
        person = User.objects.select_for_update(no_key=True).get(pk=person.pk)  # a role is taken before, or after
        stage = require_may_do(row, person)
        require_in_use(row.case)
        work_asked.send(sender=CaseStage, row=row, person=person)
        lapse(row=row)
        seat = _free_seat(row, stage, person, slices)
        until = (
            now() + timedelta(minutes=stage.lease_minutes) if how is AssignedBy.CLAIM and stage.lease_minutes else None
        )
        assignment = Assignment.objects.create(
            row=row,
            person=person,
            seat=seat,
            how=how.value,
            why=why[:200],
            by=by,
            lease_until=until,
            begins_at=begins_at,
        )
        _hold(assignment, slices)
        if stage.keeps_readings or row.is_control:
            Reading.objects.get_or_create(row=row, person=person, defaults={"seat": seat})
        assigned.send(sender=Assignment, assignment=assignment)
    return assignment


def give(
    row: CaseStage,
    person: User,
    slices: Sequence[int] = (WHOLE_CASE,),
    *,
    how: AssignedBy,
    why: str,
    by: User | None = None,
    begins_at: int | None = None,
) -> Assignment:
    """Gives a piece of work to a person who did not ask for it: the apps above may give them more beside it.

    Args:
        row: The stage.
        person: With the role that the stage asks for.
        slices: Indices; `WHOLE_CASE` for work on the case as a whole.
        how: At random, by load or by hand.
        why: Shown to the person.
        by: The data manager who gave it out; None where the protocol did.
        begins_at: The slice that is proposed to begin with.

    Raises:
        RejectedInput: As `assign`; then nothing was given beside it either.
    """
    words = {"row": row, "person": person, "how": how, "why": why, "by": by}
    draws = row.rules is not None and row.rules.draws
    is_last = bool(secrets.randbelow(2))  # or its place in the person's list would tell it from what stands beside it
    with transaction.atomic():
        if draws and is_last:
            work_given.send(sender=CaseStage, **words)
        made = assign(row, person, slices, how=how, why=why, by=by, begins_at=begins_at)
        if draws and not is_last:
            work_given.send(sender=CaseStage, **words)
    return made


def give_again(row: CaseStage, *, why: str) -> list[Assignment]:
    """Gives the pieces of a stage's newest work to those who did it, where they may still do it.

    Args:
        row: The stage, open (again).
        why: What a reviewer asks for.
    """
    given = []
    of_stage = Assignment.objects.filter(row__case=row.case, row__stage=row.stage, row__is_control=False)
    done = of_stage.filter(state=AssignmentState.DONE)
    newest = done.order_by("row__round").values_list("row__round", flat=True).last()
    for former in done.filter(row__round=newest or 0).select_related("person").order_by("person", "pk"):
        held = AssignedSlice.objects.filter(assignment=former, is_held=True)
        slices = list(held.values_list("slice_index", flat=True))
        if not slices:
            continue
        held.update(is_held=False)
        try:
            with transaction.atomic():
                given.append(assign(row, former.person, slices, how=AssignedBy.HAND, why=f"Sent back: {why}"))
        except RejectedInput:
            continue  # whoever has left or lost the role; the slices are free for others
    return given


def ask_again(row: CaseStage, person: User, *, why: str) -> Assignment | None:
    """Gives a person their part of an open stage again, because what they gave it on has changed.

    Args:
        row: The stage, open.
        person: Who did their part of it.
        why: Shown to the person.

    Returns:
        The work; None where they had none, have it to do anyway, or may not do it any more: then it is free.
    """
    theirs = Assignment.objects.filter(row=row, person=person)
    if theirs.filter(state=AssignmentState.OPEN).exists():
        return None
    held = AssignedSlice.objects.filter(assignment__in=theirs.filter(state=AssignmentState.DONE), is_held=True)
    slices = list(held.values_list("slice_index", flat=True))
    held.update(is_held=False)
    try:
        with transaction.atomic():
            return assign(row, person, slices, how=AssignedBy.HAND, why=why) if slices else None
    except RejectedInput:
        for former in theirs.filter(state=AssignmentState.DONE):
            _end(former, AssignmentState.GIVEN_BACK)
        return None


def require_may_do(row: CaseStage, person: User) -> Stage:
    """The rules of an open stage that a person may do.

    Raises:
        RejectedInput: As `assign` says.
    """
    stage = row.rules
    if not row.is_open or stage is None:
        raise RejectedInput("stage-closed", f"{row} is not open (any more).", remedy="Take the next piece of work.")
    if stage.is_automatic or not has_role_in(row.case.study, person, Role(stage.done_by)):
        raise RejectedInput(
            "stage-not-theirs",
            f"{stage.title} is for the role {stage.done_by.replace('_', ' ')}.",
            remedy="Ask a data manager for the role, or take other work.",
        )
    if stage.is_by_another and has_drawn(row, person):
        raise RejectedInput(
            "stage-drew-before", "You drew in this case yourself.", remedy=f"{stage.title} is for somebody else."
        )
    return stage


def has_drawn(row: CaseStage, person: User) -> bool:
    """Whether a person had a drawing assignment of the case that was not given back, or saved anything in it."""
    drawing = [stage.name for stage in row.case.protocol.steps if stage.does is not StageWork.REVIEW]
    theirs = Assignment.objects.filter(row__case=row.case, row__stage__in=drawing, person=person)
    if theirs.filter(state__in=(AssignmentState.OPEN, AssignmentState.DONE)).exists():
        return True
    answers = annotators_asked.send(sender=CaseStage, case=row.case)
    return any(person.pk in cast(Collection[int], answer) for _, answer in answers)


def renew(assignment: Assignment) -> datetime | None:
    """Makes a lease begin again, because its person works; None where it does not run out or is over."""
    stage = assignment.row.rules
    if stage is None or assignment.lease_until is None or not assignment.is_open:
        return None
    until = now() + timedelta(minutes=stage.lease_minutes)
    open_ones = Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.OPEN, lease_until__gt=now())
    return until if open_ones.update(lease_until=until) else None


def lapse(*, row: CaseStage | None = None, study: Study | None = None) -> int:
    """Ends assignments whose lease ran out, of a stage, a study or all; what was drawn stays. Returns how many."""
    over = Assignment.objects.filter(state=AssignmentState.OPEN, lease_until__lte=now())
    over = over if row is None else over.filter(row=row)
    over = over if study is None else over.filter(row__case__study=study)
    count = 0
    for key in list(over.values_list("pk", flat=True)):
        with transaction.atomic():
            assignment = Assignment.objects.select_related("row__case").get(pk=key)
            lock(assignment.row.case)
            assignment.refresh_from_db()
            if assignment.is_open and assignment.lease_until is not None and assignment.lease_until <= now():
                _end(assignment, AssignmentState.LAPSED)
                count += 1
    return count


def give_back(assignment: Assignment, *, state: AssignmentState = AssignmentState.GIVEN_BACK) -> None:
    """Ends an assignment undone, so that others can have it.

    Raises:
        RejectedInput: It has ended already (``assignment-ended``).
    """
    with transaction.atomic():
        lock(assignment.row.case)
        assignment.refresh_from_db()
        _require_open(assignment)
        _end(assignment, state)


def hand_in(assignment: Assignment, *, drawn: Collection[int] = ()) -> list[CaseStage]:
    """Says that a piece of work is complete; closes its stage where nothing of it is left, and returns what opened.

    Args:
        assignment: The piece.
        drawn: Slices of the case that are drawn: handing in confirms those that came back and stay as they are.

    Raises:
        RejectedInput: It has ended already (``assignment-ended``).
    """
    with transaction.atomic():
        lock(assignment.row.case)
        assignment.refresh_from_db()
        _require_open(assignment)
        _end(assignment, AssignmentState.DONE)
        Reading.objects.filter(row=assignment.row, person=assignment.person).update(handed_in_at=now())
        row = CaseStage.every.select_related("case__study").get(pk=assignment.row_id)
        if row.is_control:
            close_control(row)
            return []
        stage = row.rules
        if stage is None or not row.is_open or Assignment.objects.filter(row=row, state=AssignmentState.OPEN).exists():
            return []
        if _is_handed_in(row, stage, drawn):
            return finish(row, person=assignment.person, why="handed in")
        return begin_what_follows(row) if row.round > 1 and lets_go_on(stage) and drawn else []


def _is_handed_in(row: CaseStage, stage: Stage, drawn: Collection[int]) -> bool:
    """Whether every reader of a stage handed in, and all that has to be; what is open is none of it.

    What came back is complete once all is drawn, whatever its stage asked for in the first round.
    """
    if stage.keeps_readings:
        return Reading.objects.filter(row=row, handed_in_at__isnull=False).count() >= stage.readers
    if not stage.draws:
        return False
    every = set(row.case.slices.values_list("index", flat=True)) if stage.slices is WantedSlices.ALL else set()
    if stage.opens_next is not OpensNext.HAND_IN:
        return row.round > 1 and bool(drawn) and every <= set(drawn)
    held = AssignedSlice.objects.filter(row=row, is_held=True)
    indices = set(held.values_list("slice_index", flat=True))
    return WHOLE_CASE in indices or every <= indices


def _free_seat(row: CaseStage, stage: Stage, person: User, slices: Collection[int]) -> int:
    """The seat that a person has in the stage, or the first in which nobody has one of the slices.

    Who gave a reading back unfinished leaves the seat to another, and may find another one later.
    """
    held = AssignedSlice.objects.filter(row=row, is_held=True)
    theirs = held.filter(person=person).aggregate(seat=Max("seat"))["seat"]
    if theirs is not None:
        return int(theirs)
    wanted = held if WHOLE_CASE in slices else held.filter(slice_index__in=[*slices, WHOLE_CASE])
    taken = set(wanted.values_list("seat", flat=True))
    reading = Reading.objects.filter(row=row, person=person).first()
    if stage.keeps_readings:
        taken |= set(held.values_list("seat", flat=True))
        others = Reading.objects.filter(row=row, handed_in_at__isnull=False).exclude(person=person)
        taken |= set(others.values_list("seat", flat=True))
    if reading is not None and reading.seat not in taken:
        return reading.seat
    left = set(Reading.objects.filter(row=row).values_list("seat", flat=True))  # unfinished: those come last
    free = sorted(set(range(1, stage.readers + 1)) - taken, key=lambda seat: (seat in left, seat))
    if not free:
        raise _taken()
    if reading is not None:
        Reading.objects.filter(pk=reading.pk).update(seat=free[0])
    return free[0]


def _hold(assignment: Assignment, slices: Sequence[int]) -> None:
    rows = [
        AssignedSlice(
            assignment=assignment,
            row_id=assignment.row_id,
            person_id=assignment.person_id,
            seat=assignment.seat,
            slice_index=index,
        )
        for index in dict.fromkeys(slices)
    ]
    try:
        with transaction.atomic():
            AssignedSlice.objects.bulk_create(rows)
    except IntegrityError as error:
        raise _taken() from error


def _end(assignment: Assignment, state: AssignmentState) -> None:
    assignment.state, assignment.ended_at = state, now()
    assignment.save(update_fields=["state", "ended_at"])
    if state is not AssignmentState.DONE:
        AssignedSlice.objects.filter(assignment=assignment).update(is_held=False)
    assignment_ended.send(sender=Assignment, assignment=assignment)


def _require_open(assignment: Assignment) -> None:
    if not assignment.is_open:
        raise RejectedInput(
            "assignment-ended",
            f"This piece of work has ended: {assignment.get_state_display().lower()}.",
            remedy="Load the page; take the next piece.",
        )


def _taken() -> RejectedInput:
    return RejectedInput(
        "slice-taken",
        "Somebody else has this piece of work.",
        remedy="Take the next one, or wait until it is given back.",
    )
