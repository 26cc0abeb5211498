"""Signing in at an OpenID Connect provider: a real one of this test, spoken to over HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import close_person
from annotation_backend.studies.invitations import invite
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import role_in
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import new_person

pytestmark = pytest.mark.django_db

EMAIL = "anna@hospital.org"
CALLBACK = "http://testserver/accounts/oidc/oidc/login/callback/"


class Provider(ThreadingHTTPServer):
    """Says about whoever comes what `claims` hold."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.claims: dict[str, Any] = {"sub": "1", "email": EMAIL, "email_verified": True, "name": "Anna A."}
        self.forms: list[dict[str, list[str]]] = []

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        issuer = self.server.issuer
        if self.path.endswith("openid-configuration"):
            names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
            found = {f"{name}_endpoint": f"{issuer}/{path}" for name, path in names.items()}
            self._say({"issuer": issuer, "jwks_uri": f"{issuer}/keys", **found})
        else:
            self._say(self.server.claims if self.path == "/userinfo" else {"keys": []})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.forms.append(form)
        words = {**self.server.claims, "iss": self.server.issuer, "aud": "maskloop", "exp": 9999999999, "iat": 1}
        token = jwt.encode(words, "a key of the provider's own, long enough")
        self._say({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _say(self, words: object) -> None:
        body = json.dumps(words).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: Any) -> None:
        """Says nothing."""


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    found = Provider()
    threading.Thread(target=found.serve_forever, daemon=True).start()
    one = {
        "provider_id": "oidc",
        "name": "the hospital",
        "client_id": "maskloop",
        "secret": "of-the-test",
        "settings": {"server_url": found.issuer},
    }
    settings.OIDC_ISSUER = found.issuer
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [one]}}
    yield found
    found.shutdown()
    found.server_close()


def _come(provider: Provider, *, state: str | None = None, browser: Client | None = None) -> tuple[Client, Any]:
    browser = browser or Client()
    there = browser.get(reverse("openid_connect_login", args=["oidc"]), {"next": page_at("study")})
    asked = parse_qs(urlsplit(there["Location"]).query)
    assert there["Location"].startswith(f"{provider.issuer}/authorize?")
    assert asked["redirect_uri"] == [CALLBACK]
    assert asked["code_challenge_method"] == ["S256"]
    return browser, browser.get(CALLBACK, {"code": "c", "state": state or asked["state"][0]})


def test_without_the_setting_it_is_off(client: Client) -> None:
    assert client.get(reverse("openid_connect_login", args=["oidc"])).status_code == 404
    assert client.get(CALLBACK).status_code == 404
    assert "oidc" not in client.get(reverse("login")).content.decode()


def test_a_verified_address_means_its_account_and_later_the_number_does(provider: Provider, study: Study) -> None:
    person = new_person(EMAIL, Role.ANNOTATOR)[0]
    assert reverse("openid_connect_login", args=["oidc"]) in Client().get(reverse("login")).content.decode()
    provider.claims["email"] = "Anna@Hospital.org"
    browser, answer = _come(provider)
    assert answer["Location"] == page_at("study")
    assert browser.get(page_at("study")).status_code == 200
    row = SocialAccount.objects.get()
    assert (row.user, row.uid, "Anna A." in str(row.extra_data)) == (person, "1", False)
    assert "code_verifier" in provider.forms[0]
    provider.claims["email"] = "married@hospital.org"
    assert _come(provider)[1]["Location"] == page_at("study")


@pytest.mark.parametrize("verified", [False, None, "true", "false", 1, "missing"])
def test_an_address_that_nobody_verified_means_nobody(provider: Provider, verified: object) -> None:
    new_person(EMAIL, Role.ANNOTATOR)
    provider.claims["email_verified"] = verified
    if verified == "missing":
        del provider.claims["email_verified"]
    browser, answer = _come(provider)
    assert (answer.status_code, SocialAccount.objects.count()) == (403, 0)
    assert browser.get(reverse("home")).status_code == 302


def test_whoever_is_unknown_closed_or_a_first_account_is_not_let_in(provider: Provider) -> None:
    count = User.objects.count()
    close_person(new_person("closed@hospital.org", Role.ANNOTATOR)[0])
    answers = []
    for email in ("stranger@hospital.org", "closed@hospital.org", "administrator@maskloop.local", ""):
        provider.claims["email"] = email
        browser, answer = _come(provider)
        answers.append((answer.status_code, browser.get(reverse("home")).status_code))
    assert answers == [(403, 302)] * 4
    assert User.objects.count() == count + 1
    assert not SocialAccount.objects.exists()


def test_an_account_that_is_closed_later_opens_no_more(provider: Provider) -> None:
    person = new_person(EMAIL, Role.ANNOTATOR)[0]
    _come(provider)
    close_person(person)
    browser, answer = _come(provider)
    assert answer.status_code == 403
    assert browser.get(reverse("home")).status_code == 302


def test_another_person_who_got_the_address_later_is_not_taken_for_the_first(provider: Provider) -> None:
    new_person(EMAIL, Role.ANNOTATOR)
    _come(provider)
    provider.claims["sub"] = "2"
    assert _come(provider)[1].status_code == 403


def test_an_invited_person_needs_no_password(provider: Provider, people: dict[Role, User], study: Study) -> None:
    invite(study, "new@hospital.org", Role.RADIOLOGIST, by=people[Role.DATA_MANAGER])
    provider.claims["email"] = "new@hospital.org"
    assert _come(provider)[1]["Location"] == page_at("study")
    person = User.objects.get(username="new@hospital.org")
    assert role_in(study, person) == Role.RADIOLOGIST
    assert not person.has_usable_password()


def test_who_is_signed_in_connects_nothing_and_a_made_up_answer_opens_nothing(
    provider: Provider, people: dict[Role, User]
) -> None:
    browser = Client()
    browser.force_login(people[Role.ANNOTATOR])
    browser.get(reverse("openid_connect_login", args=["oidc"]), {"process": "connect"})
    state = next(iter(browser.session["socialaccount_states"]))
    assert browser.get(CALLBACK, {"code": "c", "state": state}).status_code == 403
    assert not SocialAccount.objects.exists()
    new_person(EMAIL, Role.ANNOTATOR)
    strange, answer = _come(provider, state="made-up")
    assert answer.status_code < 500
    assert strange.get(reverse("home")).status_code == 302


def test_a_provider_that_does_not_answer_is_said_so(provider: Provider) -> None:
    provider.shutdown()
    provider.server_close()
    answer = Client().get(reverse("openid_connect_login", args=["oidc"]))
    assert (answer.status_code, "does not answer" in answer.content.decode()) == (503, True)
