"""What a person may do on a case's slice in Label Studio: asked at each of their requests there."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.stages.flow import lets_go_on
from annotation_backend.stages.models import WHOLE_CASE, AssignedSlice, AssignmentState, CaseStage, StageState
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import roles_in
from datasets.study.stage import AssignedBy, Stage


@dataclass(frozen=True)
class Permit:
    """What a person may do on one slice.

    Args:
        may_look: See the picture and what is theirs.
        may_draw: Save annotations of their own.
        sees_others: See the annotations of others, and go on with them.
        sees_models: See models' masks and have prompts answered.
    """

    may_look: bool = False
    may_draw: bool = False
    sees_others: bool = False
    sees_models: bool = False


NOTHING = Permit()


def permits_of(person: User, case: Case) -> dict[int, Permit]:
    """A person's permit on each slice of a case that they have one for, by index; `WHOLE_CASE` stands for all."""
    found = permits_in(person, case.study, [case.pk])
    return {index: permit for (_, index), permit in found.items()}


def permits_in(person: User, study: Study, cases: Collection[int] | None = None) -> dict[tuple[int, int], Permit]:
    """A person's permits on a study's slices, by case (key) and index; with the same count of queries for any number.

    There are none on an excluded case, but for data managers, who decide whether it comes back.

    Args:
        person: The person.
        study: The study.
        cases: Keys of the cases that are asked for; all of the study where it is None.
    """
    roles = roles_in(study, person)
    if not roles:
        return {}
    if Role.DATA_MANAGER in roles:
        keys = Case.objects.filter(study=study).values_list("pk", flat=True) if cases is None else cases
        return {(key, WHOLE_CASE): Permit(may_look=True, sees_others=True, sees_models=True) for key in keys}
    shown = Case.objects.not_excluded().filter(study=study)
    shown = shown if cases is None else shown.filter(pk__in=cases)
    steps = {stage.name: stage for stage in study.protocol.steps}
    found: dict[tuple[int, int], Permit] = {}
    going_on: set[tuple[int, str]] = set()
    for row in CaseStage.objects.filter(case__in=shown, state=StageState.OPEN).order_by("pk"):
        stage = steps.get(row.stage)
        going_on |= {(row.case_id, name) for name in (stage.after if stage else ())}
        if stage is not None and stage.assignment is AssignedBy.OPEN and _is_for(stage, roles):
            found[row.case_id, WHOLE_CASE] = _permit(row, stage, is_working=True)
    for held in _held(person).filter(row__case__in=shown).select_related("row", "assignment").order_by("pk"):
        stage = steps.get(held.row.stage)
        if stage is not None and _is_for(stage, roles):
            is_working = _is_working(held, stage, lets_change=(held.row.case_id, held.row.stage) in going_on)
            found[held.row.case_id, held.slice_index] = _permit(held.row, stage, is_working=is_working)
    return found


def _is_for(stage: Stage, roles: Collection[Role]) -> bool:
    return not stage.is_automatic and Role(stage.done_by) in roles


def _is_working(held: AssignedSlice, stage: Stage, *, lets_change: bool) -> bool:
    """Whether a slice is to be drawn on, or can still be changed, where the review began before drawing ended."""
    if held.row.is_open:
        return held.assignment.state == AssignmentState.OPEN
    return lets_change and lets_go_on(stage) and held.row.state == StageState.DONE


def _permit(row: CaseStage, stage: Stage, *, is_working: bool) -> Permit:
    is_alone = stage.is_blind or stage.keeps_readings or row.is_control
    sees_others = not is_alone and not row.is_fresh
    return Permit(True, is_working and stage.draws, sees_others, not stage.hides_models)


def permit_of(person: User, case: Case, index: int) -> Permit:
    """A person's permit on one slice of a case."""
    found = permits_of(person, case)
    return found.get(index) or found.get(WHOLE_CASE) or NOTHING


def assigned_places(person: User, study: Study) -> set[tuple[int, int]]:
    """Case (by key) and slice of each piece of a study that a person has to do or did and still holds; one query."""
    held = _held(person).filter(row__case__study=study)
    return set(held.values_list("row__case", "slice_index"))


def _held(person: User) -> QuerySet[AssignedSlice]:
    """What a person holds: to be done within its lease, or done."""
    running = Q(assignment__state=AssignmentState.OPEN) & (
        Q(assignment__lease_until__isnull=True) | Q(assignment__lease_until__gt=now())
    )
    return AssignedSlice.objects.filter(
        running | Q(assignment__state=AssignmentState.DONE), person=person, is_held=True
    )


def reading_of(case: Case, index: int, people: Iterable[int]) -> int | None:
    """Key of the reading to which a save belongs; None where it counts for the case.

    Args:
        case: The case.
        index: The slice that was saved.
        people: Label Studio's numbers of the people whom the save names.
    """
    held = AssignedSlice.objects.filter(
        row__case=case, slice_index__in=(index, WHOLE_CASE), person__label_studio_id__in=[one for one in people if one]
    )
    newest = held.select_related("row__case__study").order_by("pk").last()
    if newest is None or (not newest.row.is_open and _is_drawn_by_whoever_likes(newest.row)):
        return None
    return newest.row.readings.filter(person=newest.person_id).values_list("pk", flat=True).first()


def _is_drawn_by_whoever_likes(reading: CaseStage) -> bool:
    """Whether a stage without assignments was opened since a reading closed: what is drawn now is the case's."""
    rows = CaseStage.objects.filter(case=reading.case_id, state=StageState.OPEN, opened_at__gte=reading.closed_at)
    stages = [row.rules for row in rows.select_related("case__study")]
    return any(one is not None and one.draws and one.assignment is AssignedBy.OPEN for one in stages)
