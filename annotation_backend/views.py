"""Pages that belong to no app: home, and the health of the web service."""

import logging
import sys

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import CaseMask, LabelingProject
from annotation_backend.labeling.studio.client import is_up
from annotation_backend.publishing.models import Release
from annotation_backend.review.services import queue
from annotation_backend.studies.people import studies_of
from annotation_backend.supervision.presence import missing
from annotation_backend.web.machine_faults import refusal_of

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5

_HEALTH_SECONDS = 0.5
"""The first page waits so long to hear whether Label Studio answers."""


def installation(_request: HttpRequest) -> dict[str, str]:
    """Values for every page's template: Label Studio's address."""
    return {"label_studio_url": settings.LABEL_STUDIO_URL}


@require_GET
def alive(_request: HttpRequest) -> HttpResponse:
    """Says that the web service runs, and which of the processes beside it do not."""
    return JsonResponse({"status": "UP", "missing": [part.value for part in missing()]})


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer in place of one that broke off: 503 with a reason if the same may succeed later, else 500.

    Every exception ends here, of a view or of a session that could not be stored.
    """
    refusal = refusal_of(sys.exc_info()[1])
    status = 503 if refusal else 500
    code = refusal.code if refusal else "fault"
    words = {"error": str(refusal or "A fault of ours. Report it."), "code": code}
    if request.path.startswith("/ml/"):
        answer: HttpResponse = JsonResponse(words, status=status)
    else:  # without the request: who is signed in would have to be read
        answer = HttpResponse(render_to_string("500.html", {"refusal": refusal}), status=status)
    if refusal:
        answer["Retry-After"] = str(RETRY_SECONDS)
        logger.warning("%s %s was refused: %s", request.method, _route(request), code)
    return answer


@require_GET
def guide(request: HttpRequest) -> HttpResponse:
    """The annotator's guide, linked from each task; open to all, its pictures show phantoms."""
    return render(request, "guide.html")


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The first page: each role's next step."""
    project = LabelingProject.objects.order_by("pk").last()
    entries = [entry for study in studies_of(request.user) for entry in queue(study)]
    context = {
        "case_count": Case.objects.in_use().count(),
        "mask_count": CaseMask.objects.values("case").distinct().count(),
        "waiting_count": sum(entry.is_waiting for entry in entries),
        "release_count": Release.objects.count(),
        "project": project,
        "undone": _undone(request.user),
    }
    return render(request, "home.html", context)


def _route(request: HttpRequest) -> str:
    """The route of the address, without the values in it."""
    return request.resolver_match.route if request.resolver_match else "an address"


def _undone(person: object) -> list[str]:
    """Warnings for people who can act on them: processes that are not there, and the work that waits for them."""
    if not isinstance(person, User) or person.role == Role.ANNOTATOR:
        return []
    lines = [f"The {part.value} is not running: {part.undone}." for part in missing()]
    silent = [] if is_up(seconds=_HEALTH_SECONDS) else ["Label Studio does not answer: nobody can draw."]
    return silent + lines
