"""Accounts in a real browser: a passkey is made and signs in, by keyboard; every page is one that all can use."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from annotation_backend.accounts.models import Role, User
from annotation_backend.studies.invitations import invite
from annotation_backend.studies.people import give_role
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.label_studio_page import CHROMIUM, require_chromium
from tests.annotation_backend.support.records import new_person, the_study

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EMAIL = "anna@hospital.org"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
AUTHENTICATOR = {
    **{"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True},
    **{"isUserVerified": True, "automaticPresenceSimulation": True},
}
"""One that is part of the computer and knows its owner, as a fingerprint reader does."""


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """Maskloop on localhost, where browsers make passkeys without TLS."""
    require_chromium()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    found = LiveServer("localhost")
    settings.MASKLOOP_URL = found.url
    yield found
    found.stop()


@pytest.fixture
def page(server: LiveServer) -> Iterator[Page]:
    """A browser's page with an authenticator; nothing may be refused by the policy for content, and no script fail."""
    told: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        opened = browser.new_page(base_url=server.url)
        opened.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: told.append(str(error)))
        devtools = opened.context.new_cdp_session(opened)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        yield opened
        browser.close()
    assert [line for line in told if "status of 4" not in line] == []


def _sign_in(page: Page, password: str, *, email: str = EMAIL) -> None:
    page.goto(reverse("login"))
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/accounts/" not in url)


def _again(page: Page, password: str) -> None:
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "reauthenticate" not in url)


def _press(page: Page, name: str) -> None:
    """Presses a button as somebody without a mouse does."""
    page.get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press("Enter")


def test_a_passkey_is_made_and_signs_in_by_itself_and_as_the_second_factor(page: Page, server: LiveServer) -> None:
    password = new_person(EMAIL, Role.ANNOTATOR)[1]
    _sign_in(page, password)
    page.goto(reverse("mfa_add_webauthn"))
    _again(page, password)
    page.get_by_label("It signs in by itself").check()
    _press(page, "Add")
    page.wait_for_url("**/recovery-codes/**")
    _press(page, "Sign out")
    page.wait_for_url("**/accounts/login/**")
    _press(page, "Sign in with a passkey")
    page.wait_for_url(lambda url: "/accounts/" not in url)
    assert page.get_by_role("button", name="Sign out").is_visible()
    _press(page, "Sign out")
    page.wait_for_url("**/accounts/login/**")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/2fa/authenticate/")
    _press(page, "Use a passkey or a security key")
    page.wait_for_url(lambda url: "/accounts/" not in url)


def test_every_page_is_one_that_all_can_use(page: Page, server: LiveServer) -> None:
    password = new_person(EMAIL, Role.DATA_MANAGER)[1]
    study, manager = the_study(), User.objects.get(username=EMAIL)
    give_role(study, User.objects.create_user("bert@hospital.org"), Role.RADIOLOGIST, by=manager)
    link = invite(study, "new@hospital.org", Role.ANNOTATOR, by=manager)
    faults = _faults(page, [reverse("login"), reverse("account_reset_password"), link])
    _sign_in(page, password)
    page.goto(reverse("mfa_activate_totp"))
    faults |= _faults(page, [page.url])
    _again(page, password)
    names = ["account", "account_change_password", "usersessions_list", "mfa_index", "mfa_activate_totp", "logout"]
    names += ["mfa_add_webauthn", "mfa_list_webauthn"]
    faults |= _faults(page, [*map(reverse, names), page_at("people"), link])
    page.goto(reverse("mfa_add_webauthn"))
    _press(page, "Add")
    page.wait_for_url("**/recovery-codes/**")
    faults |= _faults(
        page, [page.url, *map(reverse, ["mfa_list_webauthn", "mfa_index", "mfa_generate_recovery_codes"])]
    )
    assert faults == {}


def _faults(page: Page, addresses: list[str]) -> dict[str, list[str]]:
    """What axe finds on each page."""
    found = {}
    for address in addresses:
        page.goto(address)
        response = Axe().run(page).response
        if violations := response["violations"]:
            said = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations]
            found[re.sub(r"https?://[^/]+", "", address)] = said
    return found
