"""What stages hide: models from those who draw by hand or blind, and readers from each other."""

from collections.abc import Iterable

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.stages.models import CaseStage, Reading, StageState
from annotation_backend.stages.permits import NOTHING, permit_of


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


def holds_control(person: object, case: Case) -> bool:
    """Whether a case was given to a person as a control case: they are not told how far it is.

    Args:
        person: Who looks; not told either who is nobody.
        case: The case.
    """
    return (
        isinstance(person, User)
        and Reading.objects.filter(row__case=case, row__is_control=True, person=person).exists()
    )
