"""Pages that belong to no app: home, and the health of the web service."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask, LabelingProject
from annotation_backend.publishing.models import Release
from annotation_backend.review.services import queue


def installation(_request: HttpRequest) -> dict[str, str]:
    """What every page knows: where Label Studio is."""
    return {"label_studio_url": settings.LABEL_STUDIO_URL}


@require_GET
def alive(_request: HttpRequest) -> HttpResponse:
    """Says that the web service runs."""
    return JsonResponse({"status": "UP"})


@require_GET
def guide(request: HttpRequest) -> HttpResponse:
    """The annotator's guide, linked from each task; open to all, its pictures show phantoms."""
    return render(request, "guide.html")


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The first page: each role's next step."""
    project = LabelingProject.objects.order_by("pk").last()
    entries = queue()
    context = {
        "case_count": Case.objects.in_use().count(),
        "mask_count": CaseMask.objects.values("case").distinct().count(),
        "waiting_count": sum(entry.is_waiting for entry in entries),
        "release_count": Release.objects.count(),
        "project": project,
    }
    return render(request, "home.html", context)
