"""Where cases are on their way, for their pages and lists."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.template import Context

from annotation_backend.accounts.models import Role
from annotation_backend.cases.models import Case
from annotation_backend.stages.hiding import holds_control
from annotation_backend.stages.models import Assignment, AssignmentState, Reading
from annotation_backend.stages.whereabouts import Whereabouts, whereabouts_of
from annotation_backend.studies.pages import may

register = template.Library()


@register.inclusion_tag("stages/where.html", takes_context=True)
def where_case_is(context: Context, case: Case, *, is_review_page: bool = False) -> dict[str, Any]:
    """The open stages of the case with what is to be done next, and for a data manager who has it.

    Whoever got the case as a control case is not told how far it is.
    """
    request = context["request"]
    manages = may(request, Role.DATA_MANAGER)
    found = whereabouts_of([case])[case.pk]
    have = Assignment.objects.none()
    if manages and found.steps:
        rows = [step.row for step in found.steps]
        have = Assignment.objects.filter(row__in=rows, state=AssignmentState.OPEN).select_related("person")
    return {
        "study": context["study"],
        "case": case,
        "is_review_page": is_review_page,
        "found": found,
        "have": have,
        "manages": manages,
        "people_do_it": any(not step.stage.is_automatic for step in found.steps),
        "reviews": may(request, Role.RADIOLOGIST) or manages,
        "is_hidden": not manages and holds_control(request.user, case),
    }


@register.simple_tag(takes_context=True)
def whereabouts(context: Context, cases: Iterable[Case]) -> Mapping[int, Whereabouts]:
    """How far each case of a list is, by key; of a person's control cases nothing. Two queries for all of them."""
    request = context["request"]
    found = dict(whereabouts_of(cases))
    if not may(request, Role.DATA_MANAGER):
        theirs = Reading.objects.filter(row__case__in=list(found), row__is_control=True, person=request.user)
        for key in theirs.values_list("row__case", flat=True):
            found.pop(key, None)
    return found


@register.filter
def of_case(found: Mapping[int, Whereabouts], case: Case) -> str:
    """The words of one case."""
    return found[case.pk].words if case.pk in found else "–"
