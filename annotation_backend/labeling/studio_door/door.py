# mypy: ignore-errors
"""The door: middleware of Label Studio's process. What `addresses.csv` does not open to somebody is closed to them.

It stands before each view, after all other middleware has seen the request: no view answers that it did not let
through, whatever the spelling of its address. Label Studio answers an address without its last slash by a second round
through all middleware, this one among it.
"""

import hmac
from urllib.parse import urlsplit

from django.http import HttpResponse

from annotation_backend.labeling.studio_door import surroundings
from annotation_backend.labeling.studio_door.addresses import TABLE, Who
from annotation_backend.labeling.studio_door.conditions import CONDITIONS, Asked
from annotation_backend.labeling.studio_door.entering import ENTRY
from annotation_backend.labeling.studio_door.narrowing import NARROWED
from annotation_backend.labeling.studio_door.permits import PERMITS
from annotation_backend.labeling.studio_door.refusals import (
    Refused,
    answer_to,
    malformed,
    not_allowed,
    not_signed_in,
    wants_page,
)

_HARMLESS = ("GET", "HEAD")

_AUTHORIZATION = "HTTP_AUTHORIZATION"
"""Where Label Studio's views look for a token: it writes one there itself that came in another header."""


class Door:
    """Lets requests through to Label Studio's views, or answers them itself."""

    def __init__(self, get_response):
        self._get_response = get_response

    def __call__(self, request):
        """Passes on; an answer that had to be narrowed and was not does not leave."""
        response = self._get_response(request)
        asked = getattr(request, "maskloop_asked", None)
        if asked is not None and asked.is_to_be_narrowed and response.status_code == 200:
            return answer_to(request, not_allowed())
        return response

    def process_view(self, request, _view, _args, values):
        """Refuses, or lets through to the view by returning nothing."""
        try:
            request.maskloop_asked = _let_in(request, values)
        except Refused as refused:
            request.maskloop_asked = None
            return answer_to(request, refused)

    def process_template_response(self, request, response):
        """Takes out of an answer what is not the person's to see, before it is written."""
        asked = getattr(request, "maskloop_asked", None)
        if asked is None or not asked.is_to_be_narrowed:
            return response
        asked.is_to_be_narrowed = False
        if asked.tells_of_others:
            return _rendered(answer_to(request, not_allowed()))
        if response.status_code != 200:
            return response
        try:
            response.data = NARROWED[asked.who](asked, response.data)
        except Refused as refused:
            return _rendered(answer_to(request, refused))
        return response


def _let_in(request, values):
    """What a request asks of whom, where it comes in.

    Raises:
        Refused: It does not.
    """
    who = TABLE.who(request.method, request.resolver_match.route)
    if who is Who.ANYBODY:
        return None
    if _AUTHORIZATION in request.META and who is not Who.NOBODY:
        _require_our_token(request)
        return None
    if who is Who.OURSELVES:
        _require_secret(request)
        return None
    entry = request.session.get(ENTRY, "")
    if not entry or not request.user.is_authenticated:
        raise not_signed_in()
    if request.method not in _HARMLESS:
        _require_own_page(request)
    asked = Asked(request=request, who=who, values=values, entry=entry, person=request.user.pk)
    if who is Who.NOBODY:
        raise not_signed_in() if wants_page(request) and request.path.endswith("/login/") else not_allowed()
    if PERMITS.of(entry, asked.person).administrates:
        return None
    if who is Who.ADMINISTRATOR:
        raise not_allowed()
    CONDITIONS[who](asked)
    asked.is_to_be_narrowed = who in NARROWED
    return asked


def _require_our_token(request):
    """Only the administrator's token, by which our service speaks; no other account's, and no web token."""
    kind, _, word = request.META[_AUTHORIZATION].partition(" ")
    if kind != "Token" or not hmac.compare_digest(word.strip().encode(), surroundings.token().encode()):
        raise Refused(401, "door-token", "API tokens of people open nothing here.")


def _require_secret(request):
    if not hmac.compare_digest(request.headers.get(surroundings.HEADER, "").encode(), surroundings.secret().encode()):
        raise not_signed_in()


def _require_own_page(request):
    """Refuses what another site's page has a person's browser send: Label Studio asks for no token in its API."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        is_own = site == "same-origin"
    else:
        origin = request.headers.get("Origin") or request.headers.get("Referer") or ""
        is_own = urlsplit(origin).netloc == request.get_host()
    if not is_own:
        raise malformed("This request comes from another page than Label Studio's.")


def _rendered(answer: HttpResponse):
    """An answer in place of one that would still be rendered."""
    answer.render = lambda: answer
    return answer
