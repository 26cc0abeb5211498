"""The dashboard of a study, and each of its figures as CSV."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.models import Role
from annotation_backend.dashboard.figures import Dashboard, dashboard_of, needs_work
from annotation_backend.dashboard.jobs import work_out_figures
from annotation_backend.job_queue import queue_once
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page
from annotation_backend.web.spreadsheet import csv_answer

READERS = (Role.RADIOLOGIST, Role.DATA_MANAGER)


@study_page(*READERS)
@require_GET
def dashboard(request: HttpRequest, study: Study) -> HttpResponse:
    """The study's figures, each as a plot and as a table."""
    return render(request, "dashboard/dashboard.html", {"dashboard": _asked_for(study)})


@study_page(*READERS)
@require_GET
def figure_csv(request: HttpRequest, study: Study, figure: str) -> HttpResponseBase:
    """One figure's table as CSV."""
    table = next((one for one in _asked_for(study).tables if one.name == figure), None)
    if table is None:
        raise Http404
    return csv_answer(f"{study}-{table.name}", table.head, table.rows)


def _asked_for(study: Study) -> Dashboard:
    """The figures; where they are old and many, a worker is asked for new ones."""
    found = dashboard_of(study)
    if needs_work(found):
        queue_once(work_out_figures, study=study.pk)
    return found
