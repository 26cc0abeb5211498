"""Findings about annotations, for the pages of cases, reviews and the first page."""

from django import template
from django.db.models import QuerySet
from django.template import Context

from annotation_backend.accounts.models import User
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import AnnotationFinding
from annotation_backend.labeling.predictions.automatic import why_it_waits
from annotation_backend.labeling.versions.doubts import possible_annotators
from annotation_backend.labeling.versions.losses import open_findings
from annotation_backend.labeling.versions.versions import saves_shown
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput

register = template.Library()


@register.simple_tag(takes_context=True)
def open_findings_of(context: Context, case: Case) -> QuerySet[AnnotationFinding]:
    """Findings of a case that nobody has looked at, as far as who is signed in may know of them."""
    return open_findings(case, person=signed_in_user(context["request"]))


@register.simple_tag
def people_of(study: Study) -> QuerySet[User]:
    """The people of a study, also those who have left: one of them is the annotator."""
    return possible_annotators(study)


@register.simple_tag(takes_context=True)
def slices_with_versions(context: Context, case: Case) -> list[int]:
    """Indices of the slices of which who is signed in may see a version."""
    saved = saves_shown(case, signed_in_user(context["request"])).order_by()
    return sorted(set(saved.values_list("task__slice_index", flat=True)))


@register.simple_tag
def automatic_waits_for(case: Case) -> RejectedInput | None:
    """Why a case waits in a stage that a model does, with what to do; None where it does not."""
    return why_it_waits(case)
