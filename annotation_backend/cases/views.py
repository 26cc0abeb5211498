"""Pages of cases, and the pictures that Label Studio's browser opens by capability."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotFound
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotation_backend.cases.models import Case, Slice


@login_required
@require_GET
def case_list(request: HttpRequest) -> HttpResponse:
    """All cases and how far each is."""
    cases = Case.objects.filter(is_rehearsal=False).select_related("patient", "registration").prefetch_related("series")
    return render(request, "cases/list.html", {"cases": cases})


@login_required
@require_GET
def case_page(request: HttpRequest, code: str) -> HttpResponse:
    """One case: why its series were chosen, how it was registered, its slices."""
    case = get_object_or_404(Case.objects.select_related("patient"), code=code)
    context = {"case": case, "pictures": case.slices.filter(role=case.annotated_role.value)}
    return render(request, "cases/case.html", context)


@login_required
@require_GET
def checkerboard(request: HttpRequest, code: str) -> HttpResponse:
    """T1 and T2 in alternating tiles."""
    case = get_object_or_404(Case, code=code, registration__isnull=False)
    return _png(case.registration.checkerboard_path.read_bytes())


@login_required
@require_GET
def slice_picture(request: HttpRequest, code: str, role: str, index: int) -> HttpResponse:
    """An exported picture, for a signed-in person."""
    picture = get_object_or_404(Slice, case__code=code, role=role, index=index)
    return _png(picture.path.read_bytes())


@require_GET
def capability_picture(request: HttpRequest, token: str) -> HttpResponse:
    """An exported picture for whoever holds its address, until it expires or is revoked.

    Label Studio's editor fetches pictures from the browser without cookies, so the address itself is the permission.
    """
    picture = Slice.objects.select_related("case").filter(token=token).first()
    if picture is None or not picture.opens:
        answer: HttpResponse = HttpResponseNotFound("No picture here, or its address has expired.")
    else:
        answer = _png(picture.path.read_bytes())
    answer["Access-Control-Allow-Origin"] = settings.LABEL_STUDIO_URL
    answer["Vary"] = "Origin"
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def _png(content: bytes) -> HttpResponse:
    if not content:
        raise Http404
    answer = HttpResponse(content, content_type="image/png")
    answer["Cache-Control"] = "private, max-age=3600"
    return answer
