"""The cohort's report as a page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.permissions import roles_required
from annotation_backend.cases.report import cohort
from annotation_backend.cases.views.cases import READERS
from annotation_backend.studies.services import find_study


@roles_required(*READERS)
@require_GET
def cohort_report(request: HttpRequest) -> HttpResponse:
    """Every patient and case of the cohort: chosen series, refusals, registrations, findings."""
    return render(request, "cases/report.html", {"report": cohort(find_study(None)), "site": ""})
