"""People who may not do their work any more: it is given back at once; what they did keeps their name."""

from annotation_backend.accounts.models import Role, User
from annotation_backend.stages.assigning import give_back
from annotation_backend.stages.models import Assignment, AssignmentState
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import roles_in
from datasets.errors import RejectedInput


def give_back_what_they_may_not(person: User, study: Study | None = None) -> int:
    """Gives back a person's open work of a study, or of all, that no role of theirs allows (any more).

    Returns:
        How many pieces.
    """
    theirs = Assignment.objects.filter(person=person, state=AssignmentState.OPEN).select_related("row__case__study")
    roles: dict[int, frozenset[Role]] = {}
    count = 0
    for assignment in theirs if study is None else theirs.filter(row__case__study=study):
        place, stage = assignment.row.case.study, assignment.row.rules
        if place.pk not in roles:
            roles[place.pk] = roles_in(place, person)
        if stage is not None and not stage.is_automatic and Role(stage.done_by) in roles[place.pk]:
            continue
        try:
            give_back(assignment)
        except RejectedInput:
            continue  # it has ended meanwhile
        count += 1
    return count


def give_back_of_who_left() -> int:
    """The same for everybody who has open work: what a broken-off command left is mended so. Returns how many."""
    people = User.objects.filter(pk__in=Assignment.objects.filter(state=AssignmentState.OPEN).values("person"))
    return sum(give_back_what_they_may_not(person) for person in people)
