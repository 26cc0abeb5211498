"""Permission to open a page: one decorator, by role."""

from collections.abc import Callable
from functools import wraps
from typing import cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from annotation_backend.accounts.models import Role, User

View = Callable[..., HttpResponseBase]


def roles_required(*roles: Role) -> Callable[[View], View]:
    """Lets a signed-in person with one of `roles` through; 403 for others, the login page for nobody."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not signed_in_user(request).has_role(*roles):
                raise PermissionDenied(f"This page is for: {', '.join(role.label for role in roles)}.")
            return view(request, *args, **kwargs)

        return cast(View, login_required(guarded))

    return decorate


def signed_in_user(request: HttpRequest) -> User:
    """The person behind a request that passed a login check."""
    return cast(User, request.user)
