"""Refusals that any page may meet (a damaged file, an excluded case's pictures), and a ban on keeping pages."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from annotation_backend.cases.exclusion import CaseClosed
from annotation_backend.cases.stored.digests import DamagedFile
from datasets.errors import RejectedInput

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_STATUS: dict[type[RejectedInput], int] = {DamagedFile: 409, CaseClosed: 410}

_PRIVATE = ("text/html", "application/json")


class NamedRefusals:
    """Middleware: these errors become an answer in words, instead of a fault of the service."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Passes the request on."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A page for people who see pages, a line of text in a picture's or a download's place."""
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
        if status is None or not isinstance(error, RejectedInput):
            return None
        if "text/html" in request.headers.get("Accept", "") and not request.path.endswith(".png"):
            return render(request, "refused.html", {"error": error}, status=status)
        return HttpResponse(f"{error}\n", status=status, content_type="text/plain; charset=utf-8")


def nothing_is_kept(get_response: GetResponse) -> GetResponse:
    """Middleware: no browser and nobody between keeps a page; after signing out, going back shows nothing."""

    def answered(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith(_PRIVATE)
        if (is_page or response.status_code != HTTPStatus.OK) and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        return response

    return answered
