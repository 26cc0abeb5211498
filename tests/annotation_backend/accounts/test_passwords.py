"""Passwords: changed by their owner, forgotten ones by e-mail or by an administrator's link; sessions end with them."""

import json
import logging
import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from annotation_backend.accounts import adapter
from annotation_backend.accounts.models import Role, User
from annotation_backend.accounts.services import close_person, create_person
from annotation_backend.web.log_filters import without_picture_addresses
from tests.annotation_backend.support.records import new_person, signed_in

pytestmark = pytest.mark.django_db

EMAIL = "anna@hospital.org"
NEW = "a long enough phrase"


@pytest.fixture
def password() -> str:
    return new_person(EMAIL, Role.ANNOTATOR)[1]


@pytest.fixture
def sending(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """E-mail is on, and sent before the answer."""
    settings.EMAIL_IS_ON = True
    monkeypatch.setattr(adapter.SENDER, "submit", lambda send, message: send(message))


def _browser(password: str, email: str = EMAIL) -> Client:
    browser = Client()
    answer = browser.post(reverse("login"), {"username": email, "password": password})
    assert answer.status_code == 302
    return browser


def _ask(email: str) -> Any:
    return Client().post(reverse("account_reset_password"), {"email": email})


def _set(link: str) -> Any:
    browser = Client()
    form = browser.get(re.sub(r"^http://127\.0\.0\.1:8000", "", link))
    assert form.status_code == 302, "the key stands in the form's address no more"
    return browser.post(form["Location"], {"password1": NEW, "password2": NEW})


def test_whoever_makes_an_account_vouches_for_its_address() -> None:
    person, password = create_person("Anna@Hospital.ORG")
    assert (person.username, person.email) == (EMAIL, EMAIL)
    assert EmailAddress.objects.get(user=person, email=EMAIL).verified
    for spelt in (EMAIL, "ANNA@hospital.org", " anna@hospital.org", "\uff41nna@hospital.org"):
        assert Client().post(reverse("login"), {"username": spelt, "password": password}).status_code == 302


def test_an_address_that_was_stored_with_capitals_signs_in_in_any_spelling() -> None:
    User.objects.create_user("Bert@Hospital.org", "Bert@Hospital.org", NEW)
    for spelt in ("Bert@Hospital.org", "bert@hospital.org", "BERT@HOSPITAL.ORG"):
        _browser(NEW, spelt)


def test_nobody_signs_up(client: Client) -> None:
    for address in ("/accounts/signup/", "/accounts/register/", "/accounts/3rdparty/signup/", "/accounts/email/"):
        assert client.get(address).status_code == 404


def test_a_new_password_ends_the_other_sessions(password: str) -> None:
    own, other = _browser(password), _browser(password)
    words = {"oldpassword": password, "password1": NEW, "password2": NEW}
    wrong = own.post(reverse("account_change_password"), {**words, "oldpassword": "x"})
    assert wrong.status_code == 200
    weak = own.post(reverse("account_change_password"), {**words, "password1": "123", "password2": "123"})
    assert weak.status_code == 200
    assert own.post(reverse("account_change_password"), words).status_code == 302
    assert own.get(reverse("home")).status_code == 200
    assert other.get(reverse("home")).status_code == 302
    _browser(NEW)


def test_a_former_password_cannot_be_guessed_by_changing_it(password: str) -> None:
    own = _browser(password)
    words = {"password1": NEW, "password2": NEW}
    for number in range(5):
        own.post(reverse("account_change_password"), {**words, "oldpassword": f"wrong {number}"})
    assert own.post(reverse("account_change_password"), {**words, "oldpassword": password}).status_code == 429


def test_without_e_mail_the_page_says_whom_to_ask(password: str) -> None:
    assert "Ask your administrator" in Client().get(reverse("account_reset_password")).content.decode()
    answer = _ask(EMAIL)
    assert (answer.status_code, mail.outbox) == (200, [])


def test_a_forgotten_password_is_set_by_a_link_that_opens_once(password: str, sending: None) -> None:
    former = _browser(password)
    assert _ask(EMAIL.upper()).status_code == 302
    [sent] = mail.outbox
    [link] = re.findall(r"http://127\.0\.0\.1:8000/accounts/password/reset/key/\S+", sent.body)
    assert sent.to == [EMAIL]
    assert _set(link)["Location"] == reverse("account_reset_password_from_key_done")
    _browser(NEW)
    assert former.get(reverse("home")).status_code == 302, "sessions of the former password ended"
    assert "used up" in Client().get(link.removeprefix("http://127.0.0.1:8000")).content.decode()


def test_the_answer_does_not_tell_whether_an_account_exists(password: str, sending: None) -> None:
    close_person(new_person("closed@hospital.org", Role.ANNOTATOR)[0])
    answers = [_ask(email) for email in (EMAIL, "nobody@hospital.org", "closed@hospital.org")]
    assert len({(one.status_code, one["Location"], one.content) for one in answers}) == 1
    assert [one.to for one in mail.outbox] == [[EMAIL]]


def test_the_link_stands_under_our_own_address_whatever_host_was_asked(password: str, sending: None) -> None:
    Client().post(reverse("account_reset_password"), {"email": EMAIL}, headers={"host": "localhost:99"})
    assert "localhost" not in mail.outbox[0].body


def test_links_are_asked_for_a_few_times_only(password: str, sending: None) -> None:
    assert [_ask(EMAIL).status_code for _ in range(7)] == [302] * 5 + [429] * 2


def test_an_administrator_makes_a_link_by_a_command(password: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("reset_sign_in", EMAIL, "--json")
    made = json.loads(capsys.readouterr().out)
    assert made["second_factors"] == 0
    _set(made["link"])
    _browser(NEW)
    close_person(User.objects.get(username=EMAIL))
    with pytest.raises(SystemExit):
        call_command("reset_sign_in", EMAIL, "--json")
    assert json.loads(capsys.readouterr().out)["code"] == "account-closed"


def test_no_link_that_opens_something_stands_in_the_log() -> None:
    for address in ("/accounts/password/reset/key/2-abc/", "/accounts/invitation/abc/", "/pictures/abc"):
        record = logging.LogRecord("x", logging.WARNING, "", 0, "Not Found: %s", (address,), None)
        assert without_picture_addresses(record)
        assert "abc" not in record.getMessage()


def test_sessions_are_listed_and_the_others_end(password: str) -> None:
    own, other = _browser(password), _browser(password)
    forced = signed_in(User.objects.get(username=EMAIL))
    shown = own.get(reverse("usersessions_list"), headers={"user-agent": "<script>"}).content.decode()
    assert shown.count("This browser") == 1
    assert own.post(reverse("usersessions_list")).status_code == 302
    for browser, status in ((own, 200), (other, 302), (forced, 302)):
        assert browser.get(reverse("home")).status_code == status


def test_a_session_from_before_is_listed_too(password: str) -> None:
    from allauth.usersessions.models import UserSession

    own = _browser(password)
    UserSession.objects.all().delete()
    assert own.get(reverse("usersessions_list")).content.decode().count("This browser") == 1


def test_signing_out_ends_this_session_or_all(password: str) -> None:
    one, two, three = (_browser(password) for _ in range(3))
    one.post(reverse("logout"))
    assert [browser.get(reverse("home")).status_code for browser in (one, two, three)] == [302, 200, 200]
    two.post(reverse("logout"), {"everywhere": "1"})
    assert [browser.get(reverse("home")).status_code for browser in (one, two, three)] == [302, 302, 302]
