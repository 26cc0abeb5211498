"""Pages of errata and withdrawals, and the files beside a release."""

from collections.abc import Callable
from typing import TypeVar

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.models import Patient
from annotation_backend.cases.views.cases import png_answer
from annotation_backend.cases.withdrawal import patient_called
from annotation_backend.publishing.correcting.beside_releases import errata_now, file_beside, picture_of_change
from annotation_backend.publishing.correcting.errata import accept, decline, report
from annotation_backend.publishing.correcting.forms import DecisionForm, ErratumForm, WithdrawalForm
from annotation_backend.publishing.correcting.withdrawing import withdraw_patient, withdrawals
from annotation_backend.publishing.models import Erratum, Release
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, require_role, study_page
from annotation_backend.studies.portions import portion_of
from datasets.errors import RejectedInput
from datasets.release.comparing.opened import OpenedRelease
from datasets.release.correcting.beside import Beside
from datasets.release.correcting.errata_file import OPEN_STATES, ErratumState

_Made = TypeVar("_Made")

_FILES = {"errata": Beside.ERRATA, "tombstone": Beside.TOMBSTONE, "proof": Beside.PROOF}


@study_page()
@require_GET
def erratum_list(request: HttpRequest, study: Study) -> HttpResponse:
    """All errata of the study, the newest first."""
    rows = Erratum.objects.filter(study=study).select_related("release").prefetch_related("steps__release")
    portion = portion_of(request, rows)
    return render(request, "publishing/errata.html", {"errata": portion.object_list, "portion": portion})


@study_page()
@require_http_methods(["GET", "POST"])
def erratum_report(request: HttpRequest, study: Study, pk: int) -> HttpResponse:
    """The form in which whoever may see a release reports a fault in it."""
    release = get_object_or_404(Release, study=study, pk=pk)
    try:
        opened = OpenedRelease.in_folder(release.path)
    except RejectedInput as error:
        return render(request, "publishing/erratum_report.html", {"release": release, "damage": error}, status=409)
    first = {"case": request.GET.get("case", "")}
    form = ErratumForm(release, opened, request.POST if request.method == "POST" else None, initial=first)
    if request.method == "POST" and form.is_valid():
        said = form.report()
        erratum = _done(form, lambda: report(study, said, person=signed_in_user(request)))
        if erratum is not None:
            messages.success(request, f"Erratum {erratum.number} is listed beside the release. Thank you.")
            return redirect(page_of(study, "erratum-page", erratum.number))
    status = 400 if request.method == "POST" else 200
    return render(request, "publishing/erratum_report.html", {"release": release, "form": form}, status=status)


@study_page()
@require_http_methods(["GET", "POST"])
def erratum_page(request: HttpRequest, study: Study, number: int) -> HttpResponse:
    """One erratum and its steps; a data manager accepts or declines it."""
    rows = Erratum.objects.select_related("release", "case").prefetch_related("steps__person", "steps__release")
    erratum = get_object_or_404(rows, study=study, number=number if number < 2**31 else 0)
    form = DecisionForm(request.POST if request.method == "POST" else None, initial={"words": erratum.text})
    status = 200
    if request.method == "POST":
        require_role(request, Role.DATA_MANAGER)
        decide = _DECISIONS.get(request.POST.get("decision", ""))
        if decide is None:
            return HttpResponse("What is to become of it?\n", status=400, content_type="text/plain")
        words = form.cleaned_data["words"] if form.is_valid() else ""
        if words and _done(form, lambda: decide(erratum, words=words, person=signed_in_user(request))) is not None:
            messages.success(request, f"Erratum {erratum.number} is {Erratum.objects.get(pk=erratum.pk).state.value}.")
            return redirect(page_of(study, "erratum-page", number))
        status, erratum = 409 if words else 400, get_object_or_404(rows, pk=erratum.pk)
    context = {
        "erratum": erratum,
        "form": form,
        "may_decide": may(request, Role.DATA_MANAGER) and erratum.state in OPEN_STATES,
        "may_accept": erratum.state is ErratumState.REPORTED,
        "may_read_case": may(request, Role.DATA_MANAGER, Role.RADIOLOGIST),
    }
    return render(request, "publishing/erratum.html", context, status=status)


@study_page(Role.DATA_MANAGER)
@require_http_methods(["GET", "POST"])
def withdrawal_list(request: HttpRequest, study: Study) -> HttpResponse:
    """Withdrawn patients with all that holds them, and a form to withdraw one."""
    first = {"patient": request.GET.get("patient", "")}
    form = WithdrawalForm(request.POST if request.method == "POST" else None, initial=first)
    if request.method == "POST" and form.is_valid():
        said, person = form.cleaned_data, signed_in_user(request)
        found = _done(
            form,
            lambda: withdraw_patient(
                patient_called(said["patient"].strip(), study=study), reason=said["reason"], person=person
            ),
        )
        if found is not None:
            messages.success(request, f"{found.patient} is withdrawn. Build the next version of each release below.")
            return redirect(page_of(study, "withdrawal-list"))
    patients = list(Patient.objects.filter(study=study, withdrawal__isnull=False))
    context = {"rows": withdrawals(patients), "form": form}
    status = 400 if request.method == "POST" else 200
    return render(request, "publishing/withdrawals.html", context, status=status)


@study_page()
@require_GET
def beside_release(request: HttpRequest, study: Study, pk: int, kind: str) -> HttpResponse:
    """A file beside a release: its errata as they are now, its tombstone, or its proof."""
    release, what = get_object_or_404(Release, study=study, pk=pk), _FILES.get(kind)
    if what is None:
        raise Http404
    path = file_beside(release, what)
    content = errata_now(release) if what is Beside.ERRATA else path.read_bytes() if path else None
    if content is None:
        raise Http404
    answer = HttpResponse(content, content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{release}{what.value}"'
    return answer


@study_page(Role.DATA_MANAGER, Role.RADIOLOGIST)
@require_GET
def change_picture(request: HttpRequest, study: Study, pk: int, kind: str) -> HttpResponse:
    """A picture of what a version changed."""
    release = get_object_or_404(Release, study=study, pk=pk)
    path = picture_of_change(release, kind)
    if path is None:
        raise Http404
    return png_answer(request, path.read_bytes())


_DECISIONS: dict[str, Callable[..., Erratum]] = {"accept": accept, "decline": decline}


def _done(form: Form, do: Callable[[], _Made]) -> _Made | None:
    """What was done; None where it was refused, which the form then says."""
    try:
        return do()
    except RejectedInput as error:
        form.add_error(None, f"{error.message} {error.remedy}")
        return None
