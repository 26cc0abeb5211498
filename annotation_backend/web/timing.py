"""Time that an answer took inside this service, as a header of the answer."""

import time

from django.http import HttpRequest, HttpResponseBase

from annotation_backend.web.refusals import GetResponse


def server_timing(get_response: GetResponse) -> GetResponse:
    """Middleware: adds ``Server-Timing: app;dur=<milliseconds>``, which a browser shows and an access log can keep.

    It goes first, so that it measures all others too. A streamed body's own time is not in it.
    """

    def timed(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = get_response(request)
        response["Server-Timing"] = f"app;dur={1000 * (time.perf_counter() - started):.1f}"
        return response

    return timed
