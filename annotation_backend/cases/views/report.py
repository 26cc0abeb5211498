"""The cohort's report as a page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.cases.report import cohort
from annotation_backend.cases.views.cases import READERS
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page


@study_page(*READERS)
@require_GET
def cohort_report(request: HttpRequest, study: Study) -> HttpResponse:
    """Every patient and case of the study: chosen series, refusals, registrations, findings."""
    return render(request, "cases/report.html", {"report": cohort(study), "site": ""})
