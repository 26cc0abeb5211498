"""The health of the web service, its answer to faults, and the guide."""

import logging
import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET

from annotation_backend.labeling.project.project import current_project
from annotation_backend.studies.addresses import page_of
from annotation_backend.supervision.presence import missing
from annotation_backend.web.machine_faults import refusal_of

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5


def installation(request: HttpRequest) -> dict[str, object]:
    """Values for every page's template: where a study's people draw."""
    return {"labelling_url": lambda: _labelling_url(request)}


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


def _labelling_url(request: HttpRequest) -> str:
    """The way to the tasks of the study that a page is about; to all where it has none yet."""
    study = getattr(request, "study", None)
    return reverse("studio") if study is None or current_project(study) is None else page_of(study, "studio-of-study")


def _route(request: HttpRequest) -> str:
    """The route of the address, without the values in it."""
    return request.resolver_match.route if request.resolver_match else "an address"
