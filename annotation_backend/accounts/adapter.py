"""What differs here from django-allauth's own ways: nobody signs up, e-mail waits in no request, links are ours."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from annotation_backend.accounts import throttle
from annotation_backend.accounts.models import User

logger = logging.getLogger(__name__)

SENDER = ThreadPoolExecutor(1, thread_name_prefix="e-mail")
"""An answer that waited for the mail server would tell whether an account exists."""


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by administrators and invitations; tries of a password are counted by `throttle`."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "The e-mail address or the password is not right. Capitals count in a password.",
        "too_many_login_attempts": "Too many codes were tried. Wait five minutes; then the right one works.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes an account for themselves."""
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Whether signing in may lead there: only to this very host."""
        request = self.request
        return url_has_allowed_host_and_scheme(
            url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Counts nothing: `sign_in` did, before."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """The client's address, as the limit on sign-ins takes it."""
        return throttle.client_of(request) or "0.0.0.0"  # noqa: S104

    def post_login(self, request: HttpRequest, user: User, **words: Any) -> HttpResponse:
        """Remembers the browser, however the person signed in."""
        answer = super().post_login(request, user, **words)
        answer.set_cookie(
            throttle.DEVICE_COOKIE,
            throttle.device_cookie(user),
            max_age=throttle.DEVICE_DAYS * 24 * 3600,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return answer

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """After a new password, the first page."""
        return reverse("account")

    def get_reset_password_from_key_url(self, key: str) -> str:
        """The link to a new password, under the one address that is ours whatever a request said."""
        return new_password_link(key)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Sends in the background, where e-mail is on."""
        if not settings.EMAIL_IS_ON:
            return
        words = {"request": self.request, "email": email, "maskloop_url": settings.MASKLOOP_URL, **context}
        send_soon(self.render_mail(template_prefix, email, words))


def new_password_link(key: str) -> str:
    """The whole address at which a person sets a new password.

    Args:
        key: The person's number and the token, as allauth joins them.
    """
    number, _, token = key.partition("-")
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": number, "key": token})
    return f"{settings.MASKLOOP_URL}{path}"


def send_soon(message: EmailMessage) -> None:
    """Sends an e-mail in the background; one that cannot be sent is told to the log, without a word of it."""
    SENDER.submit(_send, message)


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except OSError as error:  # SMTPException among them
        logger.warning("an e-mail was not sent: %s", type(error).__name__)
