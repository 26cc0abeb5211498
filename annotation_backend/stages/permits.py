"""What a person may do on a case's slice in Label Studio: asked at each of their requests there."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.stages.models import WHOLE_CASE, AssignedSlice, AssignmentState
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import roles_in


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
    roles = roles_in(case.study, person)
    if Role.DATA_MANAGER in roles:
        return {WHOLE_CASE: Permit(may_look=True, sees_others=True, sees_models=True)}
    found: dict[int, Permit] = {}
    for held in _held(person).filter(row__case=case).select_related("row__case__study", "assignment").order_by("pk"):
        stage = held.row.rules
        if stage is None or Role(stage.done_by) not in roles:
            continue
        is_working = held.row.is_open and held.assignment.state == AssignmentState.OPEN and stage.draws
        is_alone = stage.is_blind or stage.keeps_readings or held.row.is_control
        sees_others = not is_alone and not held.row.is_fresh
        found[held.slice_index] = Permit(True, is_working, sees_others, not stage.hides_models)
    return found


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
    if newest is None:
        return None
    return newest.row.readings.filter(person=newest.person_id).values_list("pk", flat=True).first()
