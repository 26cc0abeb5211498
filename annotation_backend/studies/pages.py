"""The door of a study's pages: who comes in, and which study a page is about.

Every page below ``/studies/<name>/`` is a view with `study_page` around it, and gets the study as its second argument.
A study that is not there for a person looks the same as one that does not exist.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.permissions import View, signed_in_user
from annotation_backend.studies.people import roles_in, studies_of


def study_page(*roles: Role) -> Callable[[View], View]:
    """Lets a signed-in person of a study through who has one of `roles` there; any, where none is named.

    The login page for nobody, 404 for people of other studies, 403 for people of the study without the role.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, study: str, **values: Any) -> HttpResponseBase:
            person = signed_in_user(request)
            found = studies_of(person).filter(name=study).first()
            if found is None:
                raise Http404
            request.study, request.roles = found, roles_in(found, person)  # type: ignore[attr-defined]
            if roles:
                require_role(request, *roles)
            return view(request, found, **values)

        guarded.is_of_a_study = True  # type: ignore[attr-defined]
        return cast(View, login_required(guarded))

    return decorate


def may(request: HttpRequest, *roles: Role) -> bool:
    """Whether the person behind a request to a study's page has one of `roles` in that study."""
    return not request.roles.isdisjoint(roles)  # type: ignore[attr-defined]


def require_role(request: HttpRequest, *roles: Role) -> None:
    """Refuses a person of a study who has none of `roles` there.

    Raises:
        PermissionDenied: They have none.
    """
    if not may(request, *roles):
        raise PermissionDenied(f"This is for: {', '.join(role.label for role in roles)}.")


def study_of_page(request: HttpRequest) -> dict[str, object]:
    """Values for the templates of a study's pages: the study, and the person's (first) role in it."""
    if not hasattr(request, "study"):
        return {}
    return {"study": request.study, "role": first_role_of(request)}


def first_role_of(request: HttpRequest) -> Role:
    """The first of the list of roles that the person behind a request to a study's page has in that study."""
    return next(role for role in Role if may(request, role))
