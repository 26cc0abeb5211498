"""The sign-in page: allauth's, with a limit on how often a password may be tried."""

from typing import Any

from allauth.account.forms import LoginForm
from allauth.account.views import LoginView, PasswordResetView
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from annotation_backend.accounts import throttle
from annotation_backend.accounts.second_factor import takes_passkeys
from annotation_backend.accounts.services import active_person
from annotation_backend.accounts.spelling import one_spelling

_TEMPLATE = "account/login.html"


class SignInForm(LoginForm):
    """E-mail address and password; the address in whatever spelling."""

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        name, password = self.fields["login"], self.fields["password"]
        name.label, password.help_text = "E-mail address", ""
        for field in (name, password):
            field.widget.attrs.pop("placeholder", None)

    def add_prefix(self, field_name: str) -> str:
        """The address keeps the name under which browsers and scripts know it."""
        return "username" if field_name == "login" else super().add_prefix(field_name)

    def clean_login(self) -> str:
        """The user name of whom an address means; the address itself where it means nobody."""
        typed = one_spelling(self.cleaned_data["login"])
        person = active_person(typed)
        return person.username if person else typed


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
            return _too_often(request, refusal.retry_after)

    def form_valid(self, form: SignInForm) -> HttpResponse:
        """Signs in, or asks for the second factor: the password was right."""
        if self._tried is not None:
            throttle.succeeded(self._tried)
        return super().form_valid(form)

    def form_invalid(self, form: SignInForm) -> HttpResponse:
        """Says that it was wrong, and to the log that somebody tried."""
        if self._tried is not None:
            throttle.failed(self._tried)
        return super().form_invalid(form)


class ForgottenPassword(PasswordResetView):
    """Sends a link to a new password; without e-mail, says whom to ask."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The same answer whether the account exists or not."""
        if not settings.EMAIL_IS_ON:
            return self.get(request, *args, **kwargs)
        return super().post(request, *args, **kwargs)


def ways_to_sign_in(_request: HttpRequest) -> dict[str, object]:
    """Values for templates: whether e-mail is sent, passkeys work, who needs a second factor, and another
    service that signs people in."""
    return {
        "email_is_on": settings.EMAIL_IS_ON,
        "takes_passkeys": takes_passkeys(),
        "second_factor_roles": settings.SECOND_FACTOR_ROLES,
        "oidc_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
    }


def _too_often(request: HttpRequest, retry_after: int) -> HttpResponse:
    context = {"retry_after": retry_after, "next": request.POST.get("next", "")}
    answer = render(request, _TEMPLATE, context, status=429)
    answer["Retry-After"] = str(retry_after)
    return answer
