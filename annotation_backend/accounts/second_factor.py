"""Second factors: how they are kept, where passkeys work, and that who needs one sets it up before anything else."""

import base64
import ipaddress
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.crypto import salted_hmac

from annotation_backend.accounts.models import User
from annotation_backend.accounts.signals import second_factor_asked

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""What counts as a second factor; recovery codes stand in for one that was lost."""

_OPEN = (
    "account",
    "mfa_",
    "usersessions_",
    "login",
    "logout",
    "alive",
    "guide",
    "capability-picture",
    "ml-",
    "invitation",
)
"""Beginnings of the names of pages that open before the second factor is set up."""


class SecondFactors(DefaultMFAAdapter):
    """Keeps secrets enciphered by a key made of MASKLOOP_SECRET_KEY; names the service by MASKLOOP_URL."""

    def get_totp_issuer(self) -> str:
        """What an authenticator app calls this service."""
        return f"Maskloop {_host()}"

    def encrypt(self, text: str) -> str:
        """The secret as it is stored."""
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret as it is used; where another MASKLOOP_SECRET_KEY enciphered it, one that nobody knows."""
        try:
            return _cipher().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            return base64.b32encode(secrets.token_bytes(20)).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Not the last factor of a person who needs one."""
        others = Authenticator.objects.filter(user=authenticator.user, type__in=FACTORS).exclude(pk=authenticator.pk)
        return others.exists() or not needs_second_factor(authenticator.user)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys are bound to the host of MASKLOOP_URL."""
        return {"id": _host(), "name": "Maskloop"}

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        """What the browser shows when it asks for a passkey."""
        return {**super().get_public_key_credential_user_entity(user), "display_name": user.email}


class SecondFactorFirst:
    """Middleware: who needs a second factor and has none sees the page where it is set up, and no other."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Passes the request on."""
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        """Leads to the set-up where it is due."""
        name = str(request.resolver_match.url_name) if request.resolver_match else ""
        if not settings.SECOND_FACTOR_ROLES or name.startswith(_OPEN):
            return None
        person = request.user
        if not isinstance(person, User) or has_second_factor(person) or not needs_second_factor(person):
            return None
        return redirect("mfa_index")


def takes_passkeys() -> bool:
    """Whether browsers make passkeys for MASKLOOP_URL: over https with a name, or on localhost."""
    try:
        ipaddress.ip_address(_host())
    except ValueError:
        return settings.MASKLOOP_URL.startswith("https://") or _host() == "localhost"
    return False


def has_second_factor(person: User) -> bool:
    """Whether a person has an authenticator app or a passkey."""
    return Authenticator.objects.filter(user=person, type__in=FACTORS).exists()


def needs_second_factor(person: User) -> bool:
    """Whether a role of theirs needs one (MASKLOOP_SECOND_FACTOR_ROLES)."""
    return any(answer for _, answer in second_factor_asked.send(sender=User, person=person))


def forget_second_factors(person: User) -> int:
    """Takes all of a person's second factors away, for one who lost them.

    Returns:
        How many there were.
    """
    return Authenticator.objects.filter(user=person).delete()[0]


def _host() -> str:
    return urlsplit(settings.MASKLOOP_URL).hostname or "localhost"


def _cipher() -> Fernet:
    key = salted_hmac("annotation_backend.accounts.second_factor", b"key", algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(key))
