"""Refusals at the door: in words, as JSON to programs and the editor, as a way to the sign-in to a person's browser."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from annotation_backend.labeling.studio_door import surroundings

RETRY_SECONDS = 2

NOT_SIGNED_IN, SILENT, TICKET_USED = "door-sign-in", "door-silent", "door-ticket-used"
"""Codes that the doctor knows."""

BY_HAND = "Drawn by hand: in this stage no model draws, and points and boxes are not answered. Take the brush."
"""What stands above the pictures of such a task, and answers a prompt on it."""


class Refused(Exception):
    """A request that does not come in.

    Args:
        status: Of the answer.
        code: Names the reason.
        words: What a person reads.
    """

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status, self.code, self.words = status, code, words


def not_signed_in() -> Refused:
    """Nobody is signed in, or no longer."""
    return Refused(401, NOT_SIGNED_IN, "Sign in at Maskloop; it opens Label Studio for you.")


def not_allowed() -> Refused:
    """The same words whether a thing is another's or is not there at all, so that nobody finds out which."""
    return Refused(403, "door-not-allowed", "This is not open to you. Your tasks are on Maskloop's pages.")


def drawn_by_hand() -> Refused:
    """A prompt where no model draws; the editor shows the words, since its labels are those of the whole project."""
    return Refused(403, "door-drawn-by-hand", f"{BY_HAND} Remove this prompt.")


def malformed(words: str) -> Refused:
    """A request that the editor would not send."""
    return Refused(400, "door-request", words)


def silent() -> Refused:
    """Our service, which knows who may do what, does not answer."""
    return Refused(
        503, SILENT, "Maskloop does not answer, so nobody can come in now. Nothing is lost: try again at once."
    )


def answer_to(request: HttpRequest, refused: Refused) -> HttpResponse:
    """The answer to a refused request."""
    if refused.status == 401 and wants_page(request):
        return to_the_sign_in(request)
    words: dict[str, Any] = {"detail": refused.words, "code": refused.code, "status_code": refused.status}
    if wants_page(request):
        answer = HttpResponse(refused.words, status=refused.status, content_type="text/plain; charset=utf-8")
    else:
        answer = JsonResponse(words, status=refused.status)
    if refused.status == 503:
        answer["Retry-After"] = str(RETRY_SECONDS)
    return answer


def wants_page(request: HttpRequest) -> bool:
    """Whether a browser asks for a page to show."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "")


def to_the_sign_in(request: HttpRequest) -> HttpResponse:
    """Sends a browser to our pages, which come back with a ticket for the same place where somebody is signed in."""
    place = request.GET.get("next") if request.path.startswith("/user/") else request.get_full_path()
    answer = HttpResponseRedirect(f"{surroundings.pages()}/studio/?{urlencode({'place': place or '/projects/'})}")
    answer["Cache-Control"] = "no-store"
    return answer
