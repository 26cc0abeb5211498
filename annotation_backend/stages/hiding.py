"""What stages hide: models from those who draw by hand or blind, and readers from each other."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.stages.models import Assignment, AssignmentState, CaseStage, Reading, StageState
from annotation_backend.stages.permits import NOTHING, permit_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import has_role_in, people_in, roles_in
from datasets.study.stage import Stage, WantedSlices


def drawn_without_models(cases: Iterable[Case]) -> set[int]:
    """Keys of cases that are drawn now, and in stages alone that hide models; one query for their stages."""
    by_key = {case.pk: case for case in cases}
    hides: dict[int, list[bool]] = {}
    for row in CaseStage.objects.filter(case__in=by_key, state=StageState.OPEN):
        row.case = by_key[row.case_id]
        if row.rules is not None and row.rules.draws:
            hides.setdefault(row.case_id, []).append(row.rules.hides_models)
    return {key for key, found in hides.items() if all(found)}


def is_blind_still(row: CaseStage) -> bool:
    """Whether what people say or draw in a stage is hidden from each other: it is blind, and not closed yet."""
    return row.is_open and row.rules is not None and row.rules.is_blind


def is_read_now() -> Exists:
    """Of rows that belong to a `row`: whether its case is in the same stage now, in that round or a later one.

    What readers of a former round drew, and how far they agreed, would tell those who draw the case again.
    """
    same = CaseStage.objects.filter(case=OuterRef("row__case"), stage=OuterRef("row__stage"), state=StageState.OPEN)
    return Exists(same)


def read_blind_now(study: Study) -> set[tuple[int, str]]:
    """Case (by key) and name of each blind stage of a study that is open, in whatever round; one query."""
    blind = [stage.name for stage in study.protocol.steps if stage.is_blind]
    rows = CaseStage.objects.filter(case__study=study, stage__in=blind, state=StageState.OPEN)
    return set(rows.values_list("case", "stage"))


def is_read_apart(case: Case) -> bool:
    """Whether a case is drawn now by readers who are kept apart: nothing of one's may be shown to another."""
    rows = CaseStage.objects.filter(case=case, state=StageState.OPEN).select_related("case__study")
    return any(row.rules is not None and row.rules.keeps_readings for row in rows)


def may_prompt(person: User | None, case: Case, index: int) -> bool:
    """Whether a person's prompts on a slice are answered: not where it is drawn by hand, or blind.

    Args:
        person: Who asks; None where Label Studio does not say.
        case: The case.
        index: The slice.
    """
    permit = NOTHING if person is None else permit_of(person, case, index)
    return permit.sees_models or not (permit.may_look or case.pk in drawn_without_models([case]))


def control_held_by(person: object, case: Case) -> CaseStage | None:
    """The stage in which a case was given to a person as a control case; None where it was not.

    They are not told how far the case really is. Whoever looks may be nobody.
    """
    if not isinstance(person, User):
        return None
    own = Reading.objects.filter(row__case=case, row__is_control=True, person=person).select_related("row")
    reading = own.order_by("pk").last()
    return None if reading is None else reading.row


def hidden_readings(person: User, case: Case) -> QuerySet[Reading]:
    """Readings of a case whose saves and masks a person may not see: others', of work that goes on, also in a later
    round, or of controls.

    Nothing is hidden from a data manager.
    """
    return hidden_readings_in(case.study, person).filter(row__case=case)


def hidden_readings_in(study: Study, person: User) -> QuerySet[Reading]:
    """The same of all cases of a study."""
    readings = Reading.objects.filter(row__case__study=study)
    if has_role_in(study, person, Role.DATA_MANAGER):
        return readings.none()
    return readings.filter(Q(row__is_control=True) | is_read_now()).exclude(person=person)


def draws_alone(person: User, case: Case) -> bool:
    """Whether a person draws a case now, or may take it, who must not see what others drew of it.

    The stage is blind, keeps its readers apart or has the case drawn afresh, or the case is their control case.
    """
    for row, stage in _to_be_drawn_by(person, case):
        if row.is_control and Reading.objects.filter(row=row, person=person).exists():
            return True
        if not row.is_control and (stage.is_blind or stage.keeps_readings or row.is_fresh):
            return True
    return False


def draws_all_of(person: User, case: Case) -> bool:
    """Whether a stage's whole case is a person's to draw now: an ordinary one has to look as a control case does."""
    rows = [row.pk for row, stage in _to_be_drawn_by(person, case) if stage.slices is WantedSlices.ALL]
    return Assignment.objects.filter(row__in=rows, person=person, state=AssignmentState.OPEN).exists()


def draws_without_models(person: User, case: Case) -> bool:
    """Whether a person draws a case now, or may take it, in a stage that hides models."""
    return any(stage.hides_models for row, stage in _to_be_drawn_by(person, case) if not row.is_control)


def unheard_people(person: User, case: Case) -> Iterable[tuple[CaseStage, set[int]]]:
    """Open stages whose people do not hear of each other, with the keys of those whom a person does not hear."""
    if has_role_in(case.study, person, Role.DATA_MANAGER):
        return
    for row in CaseStage.objects.filter(case=case, state=StageState.OPEN).select_related("case__study"):
        stage = row.rules
        if stage is not None and not stage.is_automatic and (stage.is_blind or stage.keeps_readings):
            yield row, set(people_in(case.study, Role(stage.done_by)).values_list("pk", flat=True)) - {person.pk}


def _to_be_drawn_by(person: User, case: Case) -> Iterable[tuple[CaseStage, Stage]]:
    """Open drawing stages of a case that are for a person's role; none for a data manager, who sees all anyway."""
    roles = roles_in(case.study, person)
    if Role.DATA_MANAGER in roles:
        return
    for row in CaseStage.every.filter(case=case, state=StageState.OPEN).select_related("case__study"):
        stage = row.rules
        if stage is not None and stage.draws and not stage.is_automatic and Role(stage.done_by) in roles:
            yield row, stage
