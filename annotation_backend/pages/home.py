"""The first page: one's studies, and what waits in each."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.permissions import signed_in_user
from annotation_backend.labeling.studio.client import is_up
from annotation_backend.pages.overview import Overview
from annotation_backend.studies.people import role_in, studies_of
from annotation_backend.supervision.presence import missing
from annotation_backend.work.own import counts_of

_HEALTH_SECONDS = 0.5
"""The first page waits so long to hear whether Label Studio answers."""


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Each study that is there for the person, and each role's next step in it."""
    person = signed_in_user(request)
    theirs = counts_of(person)
    overviews = [
        Overview(study, role_in(study, person) or "", theirs.get(study.pk, {}).get("open", 0), person)
        for study in studies_of(person)
    ]
    return render(request, "pages/home.html", {"overviews": overviews, "undone": _undone(person, overviews)})


def _undone(person: User, overviews: list[Overview]) -> list[str]:
    """Warnings for people who can act on them: processes that are not there, and the work that waits for them."""
    if not person.is_administrator and all(one.role == Role.ANNOTATOR for one in overviews):
        return []
    lines = [f"The {part.value} is not running: {part.undone}." for part in missing()]
    silent = [] if is_up(seconds=_HEALTH_SECONDS) else ["Label Studio does not answer: nobody can draw."]
    return silent + lines
