"""Pages of cases and patients, and the pictures that Label Studio's browser opens by capability."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.cases.exclusion import DECIDERS, require_shown
from annotation_backend.cases.ingesting.chosen_series import choose_series, chosen_by_people, considered_series
from annotation_backend.cases.models import Case, IngestPatient, Patient, Slice
from annotation_backend.cases.signals import case_opened
from annotation_backend.cases.stored.digests import damages, whole_bytes
from annotation_backend.cases.stored.files import (
    checkerboard_file,
    picture_file,
    picture_in,
    thumbnail_file,
    thumbnails,
)
from annotation_backend.cases.views.forms import SeriesForm
from annotation_backend.studies.addresses import page_of
from annotation_backend.studies.models import Study
from annotation_backend.studies.pages import may, require_role, study_page
from annotation_backend.studies.portions import portion_of
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes
from datasets.image.intensity import STANDARD
from datasets.study.protocol import Protocol

READERS = DECIDERS


@study_page()
@require_GET
def case_list(request: HttpRequest, study: Study) -> HttpResponse:
    """The cases of the study and how far each is; ``?find=`` leaves those whose code, or whose patient's, holds it."""
    found = request.GET.get("find", "").strip()
    cases = Case.objects.filter(study=study, is_rehearsal=False).select_related("study", "patient")
    if found:
        cases = cases.filter(Q(code__icontains=found) | Q(patient__code__icontains=found))
    cases = cases.prefetch_related("registrations", "series__case__study", "exclusions")
    portion = portion_of(request, cases)
    return render(request, "cases/list.html", {"cases": portion.object_list, "portion": portion, "found": found})


@study_page()
@require_GET
def case_page(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """One case: why its series were chosen, how it was registered, its slices."""
    case = get_object_or_404(Case.objects.select_related("patient"), study=study, code=code)
    case_opened.send(sender=Case, case=case, person=signed_in_user(request), page="case")
    may_read = may(request, *READERS)
    context = {
        "case": case,
        "exclusion": case.exclusion,
        "damages": damages(case),
        "shows_pictures": may_read or case.exclusion is None,
        "pictures": case.slices.filter(role=case.drawn_role),
        "may_read": may_read,
    }
    return render(request, "cases/case.html", context)


@study_page(*READERS)
@require_http_methods(["GET", "POST"])
def patient_page(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """A patient's series at the last ingest, and a form to choose the study's images among them."""
    patient = get_object_or_404(Patient, study=study, code=code)
    protocol = study.protocol
    considered = considered_series(patient)
    form = SeriesForm([series["reference"] for series in considered], protocol, request.POST or None)
    status = 200
    if request.method == "POST":
        require_role(request, Role.DATA_MANAGER)
        if form.is_valid() and _chose(request, patient, form):
            return redirect(page_of(study, "patient-page", code))
        status = 400
    context = {
        "patient": patient,
        "rows": IngestPatient.objects.filter(patient=patient).newest().order_by("visit"),
        "form": form,
        "images": protocol.images,
        "considered": [_judged(series, protocol) for series in considered],
        "chosen": [
            (protocol.image(role).title if role in protocol.roles else role, choice)
            for role, choice in chosen_by_people(patient).items()
        ],
        "cases": patient.cases.filter(is_rehearsal=False).prefetch_related("exclusions"),
        "may_choose": may(request, Role.DATA_MANAGER),
        "is_withdrawn": hasattr(patient, "withdrawal"),
    }
    return render(request, "cases/patient.html", context, status=status)


def _judged(series: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """A series that was considered, with its points and reasons for each image; earlier ingests lack later images."""
    taken = series.get("chosen_as") or ""
    images = [
        {"image": image, "points": series["scores"].get(image.name), "reasons": series["reasons"].get(image.name, [])}
        for image in protocol.images
    ]
    return {**series, "images": images, "taken_as": protocol.image(taken).title if taken in protocol.roles else taken}


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


@study_page()
@require_GET
def checkerboard(request: HttpRequest, study: Study, code: str) -> HttpResponse:
    """The two images of a case's first registration in alternating tiles."""
    case = get_object_or_404(Case, study=study, code=code)
    require_shown(case, signed_in_user(request))
    registration = case.registrations.first()
    if registration is None:
        raise Http404
    return png_answer(request, whole_bytes(checkerboard_file(registration)))


@study_page()
@require_GET
def slice_picture(request: HttpRequest, study: Study, code: str, role: str, index: int) -> HttpResponse:
    """An exported picture, for a signed-in person."""
    pictures = Slice.objects.select_related("case").filter(case__study=study, case__code=code)
    picture = get_object_or_404(pictures, role=role, index=index)
    require_shown(picture.case, signed_in_user(request))
    return png_answer(request, whole_bytes(picture_file(picture)))


@require_http_methods(["GET", "HEAD", "OPTIONS"])
def capability_picture(request: HttpRequest, token: str) -> HttpResponse:
    """An exported picture for everybody who has its address, until it expires or is revoked.

    Label Studio's editor fetches pictures from the browser without cookies, so the address itself is the permission.
    ``?window=bright`` shows the same slice in another window preset.
    """
    picture = Slice.objects.select_related("case").filter(token=token).first()
    window = request.GET.get("window", STANDARD.name)
    stored = picture_in(picture, window) if picture and picture.opens else None
    answer: HttpResponse
    if request.method == "OPTIONS":  # a browser's question beforehand, which says nothing about any picture
        answer = HttpResponse(status=204)
        answer["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
    elif stored is None:
        answer = HttpResponseNotFound("No picture here, or its address has expired.", content_type="text/plain")
    else:
        answer = png_answer(request, whole_bytes(stored))
    answer["Access-Control-Allow-Origin"] = settings.LABEL_STUDIO_URL
    answer["Vary"] = "Origin"
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@study_page()
@require_GET
def thumbnail(request: HttpRequest, study: Study, code: str, kind: str) -> HttpResponse:
    """A small picture of a case: one of its series, or two images in tiles."""
    case = get_object_or_404(Case.objects.with_images(), study=study, code=code)
    require_shown(case, signed_in_user(request))
    if kind not in thumbnails(case):
        raise Http404
    return png_answer(request, whole_bytes(thumbnail_file(case, kind)))


def png_answer(request: HttpRequest, content: bytes) -> HttpResponse:
    """A PNG that the browser may keep, and nobody between; it asks each time whether it may still show it."""
    if not content:
        raise Http404
    etag = f'"{sha256_of_bytes(content)}"'
    known = etag in request.headers.get("If-None-Match", "")
    answer = HttpResponseNotModified() if known else HttpResponse(content, content_type="image/png")
    answer["ETag"] = etag
    answer["Cache-Control"] = "private, no-cache"
    return answer
