"""Signing in at an OpenID Connect provider: whoever comes from there has an account here, or an invitation."""

from collections.abc import Callable
from typing import Any, cast

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.openid_connect import views
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from annotation_backend.accounts.models import User
from annotation_backend.accounts.services import OURS, person_of_address
from annotation_backend.accounts.signals import newcomer_asked
from annotation_backend.accounts.spelling import one_spelling

_TEMPLATE = "socialaccount/authentication_error.html"


class KnownPeopleOnly(DefaultSocialAccountAdapter):
    """Matches who comes to an account by the e-mail address that the provider verified; from then on, by its number."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Nobody makes an account for themselves."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Finds the person.

        Raises:
            ImmediateHttpResponse: Nobody here is meant; one answer, whatever the reason.
        """
        if sociallogin.state.get("process") != AuthProcess.LOGIN:
            raise _refused(request)
        if sociallogin.is_existing:
            if not sociallogin.user.is_active:
                raise _refused(request)
            return
        person = _person_of(sociallogin)
        if person is None:
            raise _refused(request)
        sociallogin.account.extra_data = {}  # nothing of what the provider says about a person is kept
        sociallogin.connect(request, person)


def _person_of(sociallogin: SocialLogin) -> User | None:
    """The one whom a verified address means; not where their account belongs to another person there already."""
    said = [one.email for one in sociallogin.email_addresses if one.verified is True]
    if len(said) != 1:
        return None
    email = one_spelling(said[0])
    if email.endswith(OURS):
        return None
    person = person_of_address(email)
    if person is None:
        made = [answer for _, answer in newcomer_asked.send(sender=User, email=email) if answer is not None]
        return cast(User, made[0]) if made else None
    is_taken = SocialAccount.objects.filter(user=person, provider=sociallogin.account.provider).exists()
    return None if is_taken or not person.is_active else person


def patient(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view that asks the provider, with an answer for when that does not answer."""

    def answered(request: HttpRequest, **values: Any) -> HttpResponse:
        try:
            return view(request, **values)
        except (requests.RequestException, KeyError, ValueError):
            return render(request, _TEMPLATE, {"is_silent": True}, status=503)

    return answered


sign_in, callback = patient(views.login), patient(views.callback)


def _refused(request: HttpRequest) -> ImmediateHttpResponse:
    return ImmediateHttpResponse(render(request, _TEMPLATE, {"is_unknown": True}, status=403))
