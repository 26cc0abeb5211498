"""The person behind a request, and what a view is."""

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponseBase

from annotation_backend.accounts.models import User

View = Callable[..., HttpResponseBase]


def signed_in_user(request: HttpRequest) -> User:
    """The person behind a request that passed a login check."""
    return cast(User, request.user)
