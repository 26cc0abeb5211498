"""The audit log and active times, for data managers; and what an open page says of its person's work."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.timezone import now
from django.views.decorators.http import require_GET, require_POST

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.audit.forms import AuditForm
from annotation_backend.audit.log import PORTION, Entry, entries, every_entry
from annotation_backend.audit.times import ActiveTime, active_times
from annotation_backend.cases.models import Case
from annotation_backend.history.models import Event, EventKind
from annotation_backend.history.recording import record
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import study_page
from annotation_backend.studies.people import names_in
from annotation_backend.web.spreadsheet import csv_answer

_SIGNS = {"active": EventKind.PAGE_ACTIVE, "idle": EventKind.PAGE_IDLE}
_LEAST_BETWEEN = timedelta(seconds=10)
"""Signs of one kind that come faster than this say nothing new; nobody fills the history with them."""

_PAGES = ("case", "review", "adjudication", "versions")


@study_page(Role.DATA_MANAGER)
@require_GET
def audit_log(request: HttpRequest, study: Study) -> HttpResponse:
    """A portion of the log, the newest entries first."""
    form = AuditForm(study, request.GET)
    asked = form.asked()
    found = entries(asked, count=PORTION + 1) if form.is_valid() else []
    shown = found[:PORTION]
    context = {
        "form": form,
        "entries": _named(study, shown),
        "older": str(shown[-1].place) if len(found) > PORTION else "",
        "is_first": asked.before is None,
    }
    return render(request, "audit/log.html", context, status=200 if form.is_valid() else 400)


@study_page(Role.DATA_MANAGER)
@require_GET
def audit_csv(request: HttpRequest, study: Study) -> HttpResponseBase:
    """All of the log that the filter leaves, as CSV."""
    form = AuditForm(study, request.GET)
    if not form.is_valid():
        return HttpResponse("The filter cannot be read. Go back to the audit log.\n", status=400)
    record(EventKind.AUDIT_DOWNLOADED, signed_in_user(request), study=study, detail={"page": "log"})
    head = ("time (UTC)", "kind", "person", "case", "stage", "slice", "what")
    return csv_answer(f"{study}-audit-log", head, _rows(study, every_entry(form.asked())))


@study_page(Role.DATA_MANAGER)
@require_GET
def active_time_csv(request: HttpRequest, study: Study) -> HttpResponseBase:
    """Active seconds by person, case and stage, as CSV."""
    record(EventKind.AUDIT_DOWNLOADED, signed_in_user(request), study=study, detail={"page": "active-time"})
    head = ("person", "case", "stage", "active seconds")
    return csv_answer(f"{study}-active-time", head, _time_rows(study, active_times(study)))


@study_page()
@require_POST
def activity(request: HttpRequest, study: Study) -> HttpResponse:
    """A sign of work from an open page: its person works on a case, or stopped."""
    kind, page = _SIGNS.get(request.POST.get("sign", "")), request.POST.get("page", "")
    if kind is None or page not in _PAGES:
        return HttpResponse("Neither a sign of work nor a page that sends one.\n", status=400)
    case = get_object_or_404(
        Case.objects.select_related("study"), study=study, code=request.POST.get("case", "").replace("\0", "")
    )
    person = signed_in_user(request)
    recent = Event.objects.filter(study=study, person=person, created__gt=now() - _LEAST_BETWEEN, kind=kind, case=case)
    if not recent.exists():
        record(kind, person, case=case, detail={"page": page})
    return HttpResponse(status=204)


def _named(study: Study, shown: list[Entry]) -> list[tuple[Entry, str]]:
    names = names_in(study)
    return [(entry, _name(entry, names)) for entry in shown]


def _name(entry: Entry, names: Mapping[int, str]) -> str:
    """What the person is called; who left the study goes by their number."""
    return "–" if entry.person is None else names.get(entry.person, f"Person {entry.person}")


def _rows(study: Study, log: Iterator[Entry]) -> Iterator[tuple[object, ...]]:
    names = names_in(study)
    for entry in log:
        place = "" if entry.slice_index is None else entry.slice_index
        name = _name(entry, names)
        yield entry.at.isoformat(), entry.kind, name, entry.case, entry.stage, place, entry.words


def _time_rows(study: Study, times: list[ActiveTime]) -> Iterator[tuple[object, ...]]:
    names = names_in(study)
    codes = dict(Case.objects.filter(study=study).values_list("pk", "code"))
    for one in times:
        yield names.get(one.person, f"Person {one.person}"), codes[one.case], one.stage, round(one.seconds, 1)
