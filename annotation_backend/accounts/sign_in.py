"""The sign-in page: Django's, with a limit on how often a password may be tried."""

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from annotation_backend.accounts import throttle
from annotation_backend.accounts.permissions import signed_in_user

_TEMPLATE = "accounts/login.html"


class SignIn(LoginView):
    """Counts a try before its password is hashed; after too many tries, says how long to wait."""

    template_name = _TEMPLATE
    _tried: throttle.Try | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answers a try to sign in, unless there were too many."""
        try:
            with throttle.place_to_sign_in():
                if request.POST.get("username") and request.POST.get("password"):
                    self._tried = throttle.begin(request, request.POST["username"])
                return super().post(request, *args, **kwargs)
        except throttle.TooManyTries as refusal:
            return self._too_often(request, refusal.retry_after)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Signs in, and remembers the browser."""
        answer = super().form_valid(form)
        if self._tried is not None:
            throttle.succeeded(self._tried)
        answer.set_cookie(
            throttle.DEVICE_COOKIE,
            throttle.device_cookie(signed_in_user(self.request)),
            max_age=throttle.DEVICE_DAYS * 24 * 3600,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Says that it was wrong, and to the log that somebody tried."""
        if self._tried is not None:
            throttle.failed(self._tried)
        return super().form_invalid(form)

    def _too_often(self, request: HttpRequest, retry_after: int) -> HttpResponse:
        context = {"retry_after": retry_after, "next": request.POST.get("next", "")}
        answer = render(request, _TEMPLATE, context, status=429)
        answer["Retry-After"] = str(retry_after)
        return answer
