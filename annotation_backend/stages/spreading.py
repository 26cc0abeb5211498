"""Gives a stage's work to people by itself: drawn at random and balanced, or to whoever has the least to do."""

import secrets
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Count, Q

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.stages.assigning import give, has_drawn
from annotation_backend.stages.flow import lock
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage, StageState
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import people_in
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy, Stage

BY_ITSELF = (AssignedBy.RANDOM, AssignedBy.LOAD)

_THEIRS = Q(assignments__state__in=(AssignmentState.OPEN, AssignmentState.DONE))
_TO_DO = Q(assignments__state=AssignmentState.OPEN)


def spread(row: CaseStage, *, how: AssignedBy, by: User | None = None, only_others: bool = False) -> list[Assignment]:
    """Gives every free seat of an open stage to somebody who may do it; fewer where there are not so many people.

    Args:
        row: The stage.
        how: At random and balanced, or to whoever has the fewest pieces left to do.
        by: The data manager who asked for it; None where the protocol did.
        only_others: Whether nobody gets it who gave it up; else they do where there is nobody else.
    """
    given: list[Assignment] = []
    with transaction.atomic():
        lock(row.case)
        row = CaseStage.objects.select_related("case__study").get(pk=row.pk)
        stage = row.rules
        if stage is None or stage.is_automatic or not row.is_open:
            return []
        people = _candidates(row, stage, how)
        gave_back = _gave_back(row)
        if only_others:
            people = [one for one in people if one.pk not in gave_back]
        taken = _seats_taken(row)
        while len(taken) < stage.readers and people:
            person = _next([one for one in people if one.pk not in gave_back] or people)
            people = [one for one in people if one != person]
            try:
                given.append(give(row, person, how=how, why=_why(how), by=by))
            except RejectedInput:
                continue
            taken.add(given[-1].seat)
    return given


def spread_by_itself(row: CaseStage, *, only_others: bool = False) -> list[Assignment]:
    """The same, in the way that the protocol gives the stage out by itself; nothing where it does not."""
    stage = row.rules
    if stage is None or stage.assignment not in BY_ITSELF:
        return []
    return spread(row, how=stage.assignment, only_others=only_others)


def find_another_for(key: int) -> list[Assignment]:
    """Gives a stage of this key, which somebody gave up, to another; `spread_waiting` does where there is none now."""
    row = CaseStage.objects.filter(pk=key, state=StageState.OPEN).select_related("case__study").first()
    return [] if row is None else spread_by_itself(row, only_others=True)


def spread_waiting() -> int:
    """Gives out the open stages of all studies that their protocols give to people by itself and that nobody has.

    Returns:
        How many pieces were given out: somebody got a role meanwhile, or gave work back.
    """
    count = 0
    for study in Study.objects.all():
        hows = {stage.name: stage for stage in study.protocol.steps if stage.assignment in BY_ITSELF}
        if not hows:
            continue
        in_use = Case.objects.in_use().filter(study=study)
        rows = CaseStage.objects.filter(case__in=in_use, state=StageState.OPEN, stage__in=hows)
        seats = Count("assignments__seat", filter=_THEIRS, distinct=True)
        for row in rows.annotate(seats=seats).select_related("case__study").order_by("pk"):
            stage = hows[row.stage]
            if row.seats < stage.readers:
                count += len(spread(row, how=stage.assignment))
    return count


def _candidates(row: CaseStage, stage: Stage, how: AssignedBy) -> list[User]:
    """Who may do it and has no part of it, with `count` of what is theirs; their rows are locked, so that two cases
    that open at once do not both count the same."""
    people = people_in(row.case.study, Role(stage.done_by)).filter(is_active=True)
    list(people.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk"))
    theirs = Q(assignments__row__case__study=row.case.study)
    if how is AssignedBy.LOAD:
        counted = Count("assignments", filter=theirs & _TO_DO, distinct=True)
    else:
        counted = Count("assignments", filter=theirs & _THEIRS & Q(assignments__row__stage=row.stage), distinct=True)
    busy = Assignment.objects.filter(row=row, state__in=(AssignmentState.OPEN, AssignmentState.DONE))
    found = people.exclude(pk__in=busy.values("person")).annotate(count=counted).order_by("pk")
    return [one for one in found if not (stage.is_by_another and has_drawn(row, one))]


def _next(people: Sequence[User]) -> User:
    """One of those with the least, by lot."""
    least = min(one.count for one in people)  # type: ignore[attr-defined]
    return secrets.choice([one for one in people if one.count == least])  # type: ignore[attr-defined]


def _gave_back(row: CaseStage) -> set[int]:
    """Who gave the work back, or let it lapse; they get it again only where there is nobody else."""
    rows = Assignment.objects.filter(row=row, state__in=(AssignmentState.GIVEN_BACK, AssignmentState.LAPSED))
    return set(rows.values_list("person", flat=True))


def _seats_taken(row: CaseStage) -> set[int]:
    held = Assignment.objects.filter(row=row, state__in=(AssignmentState.OPEN, AssignmentState.DONE))
    return set(held.values_list("seat", flat=True))


def _why(how: AssignedBy) -> str:
    return "You were drawn by lot" if how is AssignedBy.RANDOM else "You had the least left to do"
