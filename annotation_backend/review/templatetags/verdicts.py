"""Verdicts, for the page of a case."""

from django import template
from django.template import Context

from annotation_backend.cases.models import Case
from annotation_backend.review.approvals import why_not_counted
from annotation_backend.review.models import Review, Verdict, latest_review
from annotation_backend.stages.hiding import control_held_by

register = template.Library()


@register.simple_tag(takes_context=True)
def latest_verdict_of(context: Context, case: Case) -> Review | None:
    """The newest verdict on the case, with how it ended; None where there is none, or others' are waited for.

    Nor is it told to whoever got the case as a control case.
    """
    review = None if control_held_by(context["request"].user, case) is not None else latest_review(case)
    return None if review is None or (review.row is not None and review.row.is_open) else review


@register.simple_tag
def not_counted(case: Case) -> str:
    """Why the case's approval counts in no release now; nothing where it does."""
    return why_not_counted(case)


@register.filter
def verdict_words(review: Review) -> str:
    """What a verdict did with its case: approved, returned, or sent down the ladder."""
    return {Verdict.APPROVE: "approved", Verdict.RETURN: "returned", Verdict.DOWN: "sent down"}[Verdict(review.verdict)]


@register.filter
def score_words(choice: str) -> tuple[str, str]:
    """The name of a score and its meaning, of the words that a form offers."""
    name, _, meaning = choice.partition(": ")
    return name, meaning
