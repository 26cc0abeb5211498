"""Where cases are on their way, for their pages and lists."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.stages.models import Assignment, AssignmentState
from annotation_backend.stages.whereabouts import Whereabouts, whereabouts_as_given, whereabouts_of
from annotation_backend.studies.pages import may

register = template.Library()


@register.inclusion_tag("stages/where.html", takes_context=True)
def where_case_is(context: Context, case: Case, *, is_review_page: bool = False) -> dict[str, Any]:
    """The open stages of the case with what is to be done next, and for a data manager who has it.

    Whoever got the case as a control case sees it as other work.
    """
    request = context["request"]
    manages = may(request, Role.DATA_MANAGER)
    found = _seen_by(request, [case])[case.pk]
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
    }


@register.simple_tag(takes_context=True)
def whereabouts(context: Context, cases: Iterable[Case]) -> Mapping[int, Whereabouts]:
    """How far each case of a list is, by key; a few queries for all of them."""
    return _seen_by(context["request"], cases)


def _seen_by(request: HttpRequest, cases: Iterable[Case]) -> Mapping[int, Whereabouts]:
    """How far cases are, and of a person's control cases how far others would be."""
    listed = list(cases)
    found = dict(whereabouts_of(listed))
    if isinstance(request.user, User) and not may(request, Role.DATA_MANAGER):
        found |= whereabouts_as_given(request.user, listed)
    return found


@register.filter
def of_case(found: Mapping[int, Whereabouts], case: Case) -> str:
    """The words of one case."""
    return found[case.pk].words if case.pk in found else "–"
