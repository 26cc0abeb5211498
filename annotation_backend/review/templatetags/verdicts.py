"""Verdicts, for the page of a case."""

from django import template
from django.template import Context

from annotation_backend.cases.models import Case
from annotation_backend.review.approvals import why_not_counted
from annotation_backend.review.models import Review, latest_review
from annotation_backend.stages.hiding import holds_control
from datasets.study.case import QualityScore

register = template.Library()


@register.simple_tag(takes_context=True)
def latest_verdict_of(context: Context, case: Case) -> Review | None:
    """The newest verdict on the case, with how it ended; None where there is none, or others' are waited for.

    Nor is it told to whoever got the case as a control case.
    """
    review = None if holds_control(context["request"].user, case) else latest_review(case)
    return None if review is None or (review.row is not None and review.row.is_open) else review


@register.simple_tag
def not_counted(case: Case) -> str:
    """Why the case's approval counts in no release now; nothing where it does."""
    return why_not_counted(case)


@register.filter
def score_names(scores: tuple[QualityScore, ...]) -> str:
    """Names of scores in a sentence."""
    names = [score.value.replace("_", " ") for score in scores]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


@register.filter
def score_words(choice: str) -> tuple[str, str]:
    """The name of a score and its meaning, of the words that a form offers."""
    name, _, meaning = choice.partition(": ")
    return name, meaning
