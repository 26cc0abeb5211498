"""The cohort's report as a page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.cases.report import cohort, reported_cases
from annotation_backend.cases.views.cases import READERS
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page
from annotation_backend.studies.portions import portion_of


@study_page(*READERS)
@require_GET
def cohort_report(request: HttpRequest, study: Study) -> HttpResponse:
    """The patients and cases of the study: chosen series, refusals, registrations, findings."""
    portion = portion_of(request, reported_cases(study).values_list("pk", flat=True))
    report = cohort(study, only=list(portion.object_list))
    return render(request, "cases/report.html", {"report": report, "portion": portion, "site": ""})
