"""What readers of releases found wrong with a case, for the pages on which it is repaired."""

from django import template

from annotation_backend.cases.models import Case
from annotation_backend.publishing.correcting.listed import open_errata
from annotation_backend.publishing.models import Erratum

register = template.Library()


@register.simple_tag
def accepted_errata_of(case: Case) -> list[Erratum]:
    """The accepted errata of a case that no version has put right yet."""
    return list(open_errata([case.pk]))
