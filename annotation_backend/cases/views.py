"""Pages of cases and patients, and the pictures that Label Studio's browser opens by capability."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotFound
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import roles_required, signed_in_user
from annotation_backend.cases.choices import choose_series, chosen_by_people
from annotation_backend.cases.forms import SeriesForm
from annotation_backend.cases.models import Case, Patient, Slice
from annotation_backend.cases.report import thumbnails
from datasets.errors import RejectedInput
from datasets.intensity import STANDARD

READERS = (Role.DATA_MANAGER, Role.RADIOLOGIST)


@login_required
@require_GET
def case_list(request: HttpRequest) -> HttpResponse:
    """All cases and how far each is."""
    cases = Case.objects.filter(is_rehearsal=False).select_related("patient", "registration")
    cases = cases.prefetch_related("series", "exclusions")
    return render(request, "cases/list.html", {"cases": cases})


@login_required
@require_GET
def case_page(request: HttpRequest, code: str) -> HttpResponse:
    """One case: why its series were chosen, how it was registered, its slices."""
    case = get_object_or_404(Case.objects.select_related("patient"), code=code)
    context = {
        "case": case,
        "exclusion": case.exclusion,
        "pictures": case.slices.filter(role=case.annotated_role.value),
        "may_read": signed_in_user(request).has_role(*READERS),
    }
    return render(request, "cases/case.html", context)


@roles_required(*READERS)
@require_http_methods(["GET", "POST"])
def patient_page(request: HttpRequest, code: str) -> HttpResponse:
    """What the last ingest saw of a patient, and a form that says which series are the T1 and the T2."""
    patient = get_object_or_404(Patient, code=code)
    row = patient.ingests.select_related("case").order_by("pk").last()
    considered = row.considered if row else []
    form = SeriesForm([series["reference"] for series in considered], request.POST or None)
    status = 200
    if request.method == "POST":
        if not signed_in_user(request).has_role(Role.DATA_MANAGER):
            raise PermissionDenied(f"This is for: {Role.DATA_MANAGER.label}.")
        if form.is_valid() and _chose(request, patient, form):
            return redirect("patient-page", code=code)
        status = 400
    context = {
        "patient": patient,
        "row": row,
        "form": form,
        "chosen": chosen_by_people(patient),
        "cases": patient.cases.filter(is_rehearsal=False).prefetch_related("exclusions"),
        "may_choose": signed_in_user(request).has_role(Role.DATA_MANAGER),
    }
    return render(request, "cases/patient.html", context, status=status)


def _chose(request: HttpRequest, patient: Patient, form: SeriesForm) -> bool:
    try:
        choose_series(
            patient, form.chosen(), person=signed_in_user(request), reason=form.cleaned_data.get("reason", "")
        )
    except RejectedInput as error:
        form.add_error(None, f"{error.message} {error.remedy}")
        return False
    messages.success(request, f"Written down. The next ingest takes these series for {patient.code}.")
    return True


@login_required
@require_GET
def checkerboard(request: HttpRequest, code: str) -> HttpResponse:
    """T1 and T2 in alternating tiles."""
    case = get_object_or_404(Case, code=code, registration__isnull=False)
    if not case.registration.checkerboard_path.exists():
        raise Http404
    return png_answer(case.registration.checkerboard_path.read_bytes())


@login_required
@require_GET
def slice_picture(request: HttpRequest, code: str, role: str, index: int) -> HttpResponse:
    """An exported picture, for a signed-in person."""
    picture = get_object_or_404(Slice, case__code=code, role=role, index=index)
    return png_answer(picture.path.read_bytes())


@require_http_methods(["GET", "HEAD", "OPTIONS"])
def capability_picture(request: HttpRequest, token: str) -> HttpResponse:
    """An exported picture for whoever holds its address, until it expires or is revoked.

    Label Studio's editor fetches pictures from the browser without cookies, so the address itself is the permission.
    ``?window=bright`` shows the same slice in another window preset.
    """
    picture = Slice.objects.select_related("case").filter(token=token).first()
    path = picture.path_in(request.GET.get("window", STANDARD.name)) if picture and picture.opens else None
    answer: HttpResponse
    if request.method == "OPTIONS":  # a browser's question beforehand, which says nothing about any picture
        answer = HttpResponse(status=204)
        answer["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
    elif path is None:
        answer = HttpResponseNotFound("No picture here, or its address has expired.")
    else:
        answer = png_answer(path.read_bytes())
    answer["Access-Control-Allow-Origin"] = settings.LABEL_STUDIO_URL
    answer["Vary"] = "Origin"
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@login_required
@require_GET
def thumbnail(request: HttpRequest, code: str, kind: str) -> HttpResponse:
    """A small picture of a case: its T1, its T2, or both in tiles."""
    path = thumbnails(get_object_or_404(Case.objects.select_related("registration"), code=code)).get(kind)
    if path is None:
        raise Http404
    return png_answer(path.read_bytes())


def png_answer(content: bytes) -> HttpResponse:
    """A PNG that the browser may keep for an hour, and nobody between."""
    if not content:
        raise Http404
    answer = HttpResponse(content, content_type="image/png")
    answer["Cache-Control"] = "private, max-age=3600"
    return answer
