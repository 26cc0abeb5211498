"""Findings about annotations, for the pages of cases, reviews and the first page."""

from django import template
from django.db.models import QuerySet

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import AnnotationFinding
from annotation_backend.labeling.versions.losses import open_findings

register = template.Library()


@register.simple_tag
def open_findings_of(case: Case) -> QuerySet[AnnotationFinding]:
    """Findings of a case that nobody has looked at."""
    return open_findings(case)


@register.simple_tag
def open_finding_count() -> int:
    """How many findings nobody has looked at."""
    return open_findings().count()


@register.simple_tag
def people_here() -> QuerySet[User]:
    """Everybody with an account, also people who have left: one of them is the annotator."""
    return User.objects.order_by("username")


@register.simple_tag
def slices_with_versions(case: Case) -> list[int]:
    """Indices of the slices that were ever saved."""
    saved = case.labeling_tasks.filter(annotations__isnull=False)
    return sorted(set(saved.values_list("slice_index", flat=True)))
