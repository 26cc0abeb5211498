"""Pages of other people's work: the data manager's table, and verdicts on several opened cases."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, study_page
from annotation_backend.work.bulk import BulkReport, give_to, rows_called, spread_over, take_back
from annotation_backend.work.table import Filters, choices, counts_by_stage, table
from annotation_backend.work.verdicts import decide_together, opened_cases
from annotation_backend.work.views.forms import BulkForm, BulkVerdictForm
from datasets.errors import RejectedInput
from datasets.study.stage import AssignedBy

MOST_TOLD = 20
"""Refusals that are told one by one."""


@study_page(Role.DATA_MANAGER)
@require_http_methods(["GET", "POST"])
def work_table(request: HttpRequest, study: Study) -> HttpResponse:
    """Who has what, filtered and page by page; what was ticked is given, spread or given back."""
    filters = _filters(request.GET)
    form = BulkForm(request.POST if request.method == "POST" else None, study=study)
    if request.method == "POST" and form.is_valid():
        _tell(request, _changed(request, study, form))
        return redirect(f"{page_of(study, 'work-table')}?{request.GET.urlencode()}")
    counts = counts_by_stage(study)
    context = {
        "table": table(study, filters),
        "filters": filters,
        "stages": [(stage, counts.get(stage.name, 0)) for stage in study.protocol.steps],
        "next_page": _query(filters),
        "form": form,
        **choices(study),
    }
    return render(request, "work/table.html", context, status=400 if form.errors else 200)


@study_page(Role.RADIOLOGIST, Role.DATA_MANAGER)
@require_http_methods(["GET", "POST"])
def bulk_verdicts(request: HttpRequest, study: Study) -> HttpResponse:
    """One verdict on several cases that the reviewer opened, each as it was shown to them."""
    person = signed_in_user(request)
    form = BulkVerdictForm(request.POST if request.method == "POST" else None)
    outcomes, status = [], 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                codes = [code[:60].replace("\0", "") for code in request.POST.getlist("case")]
                outcomes = decide_together(study, person, codes, form.said())
                status = 200
            except RejectedInput as error:
                form.add_error(None, f"{error.message} {error.remedy}")
    context = {
        "form": BulkVerdictForm() if outcomes else form,
        "outcomes": outcomes,
        "opened": opened_cases(study, person),
        "is_radiologist": may(request, Role.RADIOLOGIST),
    }
    return render(request, "work/verdicts.html", context, status=status)


def _changed(request: HttpRequest, study: Study, form: BulkForm) -> BulkReport:
    """What came of a bulk action."""
    by, action, person = signed_in_user(request), form.cleaned_data["action"], form.cleaned_data["person"]
    try:
        rows = rows_called(study, form.keys())
        if action in (BulkForm.GIVE, BulkForm.TAKE):
            return give_to(rows, person, by=by, takes=action == BulkForm.TAKE)
        if action == BulkForm.BACK:
            return take_back(rows)
        return spread_over(rows, how=AssignedBy.RANDOM if action == BulkForm.RANDOM else AssignedBy.LOAD, by=by)
    except RejectedInput as error:
        return BulkReport(refusals=[f"{error.message} {error.remedy}"])


def _tell(request: HttpRequest, report: BulkReport) -> None:
    if report.count:
        messages.success(request, f"{report.count} piece{'' if report.count == 1 else 's'} of work changed hands.")
    for line in report.refusals[:MOST_TOLD]:
        messages.error(request, line)
    if len(report.refusals) > MOST_TOLD:
        messages.error(request, f"And {len(report.refusals) - MOST_TOLD} more that were not changed.")


def _filters(query: QueryDict) -> Filters:
    words = {name: query.get(name, "")[:80].replace("\0", "") for name in ("stage", "site", "tissue", "after")}
    return Filters(**words, only_free=query.get("free") == "on")


def _query(filters: Filters) -> str:
    """The filters as an address's query, without the page."""
    kept = {"stage": filters.stage, "site": filters.site, "tissue": filters.tissue}
    kept |= {"free": "on"} if filters.only_free else {}
    return urlencode({name: value for name, value in kept.items() if value})
