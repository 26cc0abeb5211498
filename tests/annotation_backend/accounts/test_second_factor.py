"""Second factors: codes of an app, recovery codes, who needs one, what is stored; passkeys are tried in a browser."""

import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.second_factor import SecondFactors, forget_second_factors, takes_passkeys
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role, take_role
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import new_person, second_study

pytestmark = pytest.mark.django_db

EMAIL = "anna@hospital.org"


@pytest.fixture
def password() -> str:
    return new_person(EMAIL, Role.RADIOLOGIST)[1]


def _code(secret: str, *, later: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + later))


def _sign_in(password: str) -> tuple[Client, Any]:
    browser = Client()
    return browser, browser.post(reverse("login"), {"username": EMAIL, "password": password})


def _set_up(password: str) -> tuple[Client, str]:
    """A browser with an app set up, and the app's secret."""
    browser, _ = _sign_in(password)
    asked = browser.get(reverse("mfa_activate_totp"))
    assert asked["Location"].startswith(reverse("account_reauthenticate")), "the password is asked for again"
    browser.post(reverse("account_reauthenticate"), {"password": password})
    page = browser.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret
    assert "<svg" in page.content.decode()
    assert "data:" not in page.content.decode(), "which the policy for content would not show"
    assert browser.post(reverse("mfa_activate_totp"), {"code": "000000"}).status_code == 200
    done = browser.post(reverse("mfa_activate_totp"), {"code": _code(secret)})
    assert done["Location"] == reverse("mfa_view_recovery_codes")
    return browser, secret


def test_who_has_an_app_gives_its_code_after_the_password(password: str) -> None:
    _, secret = _set_up(password)
    browser, answer = _sign_in(password)
    assert answer["Location"] == reverse("mfa_authenticate")
    assert browser.get(reverse("home")).status_code == 302, "the password alone opens nothing"
    assert browser.post(reverse("mfa_authenticate"), {"code": "123"}).status_code == 200
    assert browser.post(reverse("mfa_authenticate"), {"code": _code(secret, later=1)}).status_code == 302
    assert browser.get(reverse("home")).status_code == 200


def test_a_code_opens_once(password: str) -> None:
    _, secret = _set_up(password)
    code = _code(secret, later=1)
    statuses = [_sign_in(password)[0].post(reverse("mfa_authenticate"), {"code": code}).status_code for _ in range(2)]
    assert statuses == [302, 200]


def test_codes_are_tried_a_few_times_only_and_in_whatever_browser(password: str) -> None:
    _, secret = _set_up(password)
    for _ in range(5):
        _sign_in(password)[0].post(reverse("mfa_authenticate"), {"code": "000000"})
    answer = _sign_in(password)[0].post(reverse("mfa_authenticate"), {"code": _code(secret, later=1)})
    assert answer.status_code == 200
    assert "Too many codes" in answer.content.decode()


def test_a_recovery_code_stands_in_once(password: str) -> None:
    browser, _ = _set_up(password)
    code = browser.get(reverse("mfa_view_recovery_codes")).context["unused_codes"][0]
    statuses = [_sign_in(password)[0].post(reverse("mfa_authenticate"), {"code": code}).status_code for _ in range(2)]
    assert statuses == [302, 200]


def test_no_secret_is_stored_in_clear_and_another_key_opens_nothing(password: str, settings: Any) -> None:
    _, secret = _set_up(password)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    kept = SecondFactors().encrypt(secret)
    assert SecondFactors().decrypt(kept) == secret
    settings.SECRET_KEY = "another key that is long enough for all of it"
    assert len({SecondFactors().decrypt(kept) for _ in range(3)} - {secret, ""}) == 3, "nobody can guess it"


def test_a_role_that_needs_one_opens_the_set_up_and_nothing_else(password: str, settings: Any, study: Study) -> None:
    settings.SECOND_FACTOR_ROLES = ["radiologist"]
    browser, answer = _sign_in(password)
    assert answer["Location"] == reverse("landing")
    for address in (reverse("home"), page_at("study"), page_at("case-list"), "/cases/"):
        assert browser.get(address)["Location"] == reverse("mfa_index"), address
    for address in (reverse("mfa_index"), reverse("account"), reverse("guide"), reverse("usersessions_list")):
        assert browser.get(address).status_code == 200, address
    browser, _ = _set_up(password)
    assert browser.get(page_at("study")).status_code == 200
    browser.post(reverse("mfa_deactivate_totp"))
    assert browser.get(page_at("study")).status_code == 200, "the last one cannot be taken away"
    take_role(study, User.objects.get(username=EMAIL))
    browser.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.filter(type="totp").exists()


def test_the_role_counts_from_when_it_is_given_in_whatever_study(password: str, settings: Any) -> None:
    settings.SECOND_FACTOR_ROLES = ["data_manager"]
    browser, _ = _sign_in(password)
    assert browser.get(page_at("study")).status_code == 200
    give_role(second_study(), User.objects.get(username=EMAIL), Role.DATA_MANAGER)
    assert browser.get(page_at("study"))["Location"] == reverse("mfa_index")


def test_administrators_may_need_one_and_others_not(people: dict[Role, User], settings: Any) -> None:
    settings.SECOND_FACTOR_ROLES = ["administrator"]
    for role, person in people.items():
        browser = Client()
        browser.force_login(person)
        assert browser.get(page_at("study")).status_code == (302 if role is Role.ADMINISTRATOR else 200)
        assert Client().get(reverse("alive")).status_code == 200


def test_a_lost_factor_is_taken_away(password: str) -> None:
    _set_up(password)
    assert forget_second_factors(User.objects.get(username=EMAIL)) == 2
    assert _sign_in(password)[1]["Location"] == reverse("landing")


@pytest.mark.parametrize(
    ("address", "works"),
    [
        ("https://maskloop.example.org", True),
        ("http://localhost:8000", True),
        ("http://maskloop.example.org", False),
        ("http://127.0.0.1:8000", False),
        ("https://192.0.2.7", False),
        ("https://[2001:db8::1]", False),
    ],
)
def test_passkeys_are_offered_where_browsers_make_them(settings: Any, address: str, works: bool) -> None:
    settings.MASKLOOP_URL = address
    assert takes_passkeys() == works
    assert ("passkey_login" in Client().get(reverse("login")).content.decode()) == works
