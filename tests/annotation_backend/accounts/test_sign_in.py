"""Signing in: the rate limit of tries, its cost, and that it locks nobody out for good."""

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation_backend.accounts import throttle
from annotation_backend.accounts.models import Role, SignInCount, User
from annotation_backend.accounts.services import close_person
from tests.annotation_backend.support.addresses import page_at
from tests.annotation_backend.support.records import accounts, new_person, registered_case

pytestmark = pytest.mark.django_db

EMAIL = "anna@hospital.org"


@pytest.fixture
def password() -> str:
    return new_person(EMAIL, Role.ANNOTATOR)[1]


def _tries(client: Client, password: str, email: str = EMAIL, **extra: Any) -> Any:
    return client.post(reverse("login"), {"username": email, "password": password}, **extra)


def _wrong(count: int, email: str = EMAIL, **extra: Any) -> list[int]:
    return [_tries(Client(), f"wrong {number}", email, **extra).status_code for number in range(count)]


def _later(by: timedelta) -> None:
    for row in SignInCount.objects.exclude(locked_until=None):
        row.locked_until -= by
        row.save()


def test_an_account_waits_after_a_few_wrong_passwords_and_the_right_one_works_after_that(password: str) -> None:
    assert _wrong(8) == [200] * throttle.TRIES_OF_AN_ACCOUNT + [429] * 3
    refused = _tries(Client(), password)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= throttle.FIRST_LOCK.total_seconds() + 1
    assert "Too many passwords were tried" in refused.content.decode()
    _later(throttle.FIRST_LOCK)
    assert _tries(Client(), password).status_code == 302
    assert _wrong(1) == [200]


def test_each_wrong_password_after_the_wait_is_followed_by_a_longer_one_up_to_the_longest(password: str) -> None:
    _wrong(throttle.TRIES_OF_AN_ACCOUNT)
    waits = []
    for _ in range(6):
        _later(throttle.LONGEST_LOCK)
        assert _wrong(1) == [200]
        row = SignInCount.objects.get(key__startswith="account")
        waits.append(round((row.locked_until - timezone.now()).total_seconds()))
    assert waits == [60, 120, 240, 300, 300, 300]


def test_capitals_and_spaces_make_no_other_account_of_one(password: str) -> None:
    for spelt in (EMAIL, EMAIL.upper(), f" {EMAIL}", EMAIL.title(), f"{EMAIL} "):
        _wrong(1, spelt)
    assert _tries(Client(), password).status_code == 429


def test_letters_that_the_form_takes_for_plain_ones_make_no_other_account_of_one(password: str) -> None:
    wide, ligature = EMAIL.replace("a", "\N{FULLWIDTH LATIN SMALL LETTER A}"), EMAIL.replace("nn", "\uff4e\uff4e")
    spelt = (wide, ligature, EMAIL.replace("@", "\N{FULLWIDTH COMMERCIAL AT}"), EMAIL.replace("h", "\u210e"), EMAIL)
    assert [_wrong(1, one) for one in spelt] == [[200]] * throttle.TRIES_OF_AN_ACCOUNT
    assert _tries(Client(), password).status_code == 429


def test_right_passwords_from_an_address_that_waited_keep_nobody_else_waiting(password: str) -> None:
    bert = new_person("bert@hospital.org", Role.RADIOLOGIST)[1]
    for number in range(throttle.TRIES_OF_AN_ADDRESS):
        _wrong(1, f"p{number}@x.org")
    assert _tries(Client(), password).status_code == 429
    _later(throttle.LONGEST_LOCK)
    assert _tries(Client(), password).status_code == 302
    assert _tries(Client(), bert, "bert@hospital.org").status_code == 302
    assert _wrong(2) == [200, 429], "a wrong one is followed by a wait, as before"


def test_nothing_is_hashed_and_nothing_written_while_an_account_waits(
    password: str, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    _wrong(throttle.TRIES_OF_AN_ACCOUNT)
    before = list(SignInCount.objects.values("key", "tries", "locked_until"))
    monkeypatch.setattr(hashers, "make_password", lambda *_: pytest.fail("hashed"))
    monkeypatch.setattr(hashers, "check_password", lambda *_: pytest.fail("hashed"))
    with django_assert_max_num_queries(1):
        assert _tries(Client(), password).status_code == 429
    assert list(SignInCount.objects.values("key", "tries", "locked_until")) == before


def test_an_address_that_tries_many_accounts_waits_and_others_do_not(password: str) -> None:
    statuses = [_wrong(1, f"p{number}@x.org", REMOTE_ADDR="10.0.0.1")[0] for number in range(25)]
    assert statuses == [200] * throttle.TRIES_OF_AN_ADDRESS + [429] * 5
    assert _tries(Client(), password, REMOTE_ADDR="10.0.0.1").status_code == 429
    assert _tries(Client(), password, REMOTE_ADDR="10.0.0.2").status_code == 302
    _later(throttle.FIRST_LOCK)
    assert _tries(Client(), password, REMOTE_ADDR="10.0.0.1").status_code == 302


def test_a_person_who_signed_in_here_before_comes_in_while_others_guess(password: str) -> None:
    browser = Client()
    assert _tries(browser, password).status_code == 302
    browser.post(reverse("logout"))
    _wrong(30)
    assert _tries(browser, password).status_code == 302
    browser.post(reverse("logout"))
    other = new_person("other@hospital.org", Role.ANNOTATOR)[1]
    assert [_tries(browser, "wrong").status_code for _ in range(6)] == [200] * 5 + [429]
    assert _tries(browser, other, "other@hospital.org").status_code == 302  # only the own account's cookie counts


def test_a_made_up_cookie_is_none(password: str) -> None:
    _wrong(throttle.TRIES_OF_AN_ACCOUNT)
    for value in ("", "1.x", f"{User.objects.get().pk}.abc:1:forged", "x:y:z"):
        browser = Client()
        browser.cookies[throttle.DEVICE_COOKIE] = value
        assert _tries(browser, password).status_code == 429


def test_right_passwords_lock_nobody_out(password: str) -> None:
    assert [_tries(Client(), password).status_code for _ in range(30)] == [302] * 30


def test_many_at_once_are_no_way_round(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try counts when it begins: those under way when the limit is reached were counted before."""
    begun = [throttle.begin(_Request(), EMAIL) for _ in range(throttle.TRIES_OF_AN_ACCOUNT)]  # type: ignore[arg-type]
    assert _tries(Client(), password).status_code == 429
    throttle.succeeded(begun[0])
    assert _tries(Client(), password).status_code == 302


def test_a_few_sign_in_at_once_and_the_next_are_told_to_wait(password: str) -> None:
    let_go, inside, told_to_wait = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def hold() -> None:
        try:
            with throttle.place_to_sign_in():
                inside.release()
                let_go.wait(10)
        except throttle.TooManyTries:
            told_to_wait.release()

    threads = [threading.Thread(target=hold) for _ in range(throttle.AT_ONCE + 1)]
    for thread in threads:
        thread.start()
    for _ in range(throttle.HASHED_AT_ONCE):
        assert inside.acquire(timeout=10)
    assert told_to_wait.acquire(timeout=10), "all places are taken, so one thread found none"
    assert not told_to_wait.acquire(blocking=False)
    refused = _tries(Client(), password)
    assert (refused.status_code, refused["Retry-After"]) == (429, "1")
    assert Client().get(reverse("alive")).status_code == 200
    let_go.set()
    for thread in threads:
        thread.join()
    assert _tries(Client(), password).status_code == 302


def test_the_log_says_that_somebody_tried_and_neither_who_nor_what(
    password: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        _wrong(10)
    told = [record.getMessage() for record in caplog.records if record.name.endswith("throttle")]
    assert sum("failed" in line for line in told) == throttle.TRIES_OF_AN_ACCOUNT
    assert sum("waits 30 s" in line for line in told) == 1
    assert not any(word in line for line in told for word in ("anna", "wrong", "127.0.0.1"))
    assert not any("Too Many Requests" in record.getMessage() for record in caplog.records)
    assert not any(EMAIL in row.key for row in SignInCount.objects.all())


def test_a_form_that_lacks_something_counts_for_nothing(password: str) -> None:
    for fields in ({}, {"username": EMAIL}, {"password": "x"}, {"username": EMAIL, "password": ""}):
        for _ in range(6):
            assert Client().post(reverse("login"), fields).status_code == 200
    assert SignInCount.objects.count() == 0


@pytest.mark.parametrize("email", ["\0", "a" * 5000, "\ud800".encode("utf-8", "replace").decode(), "山田@x.org"])
def test_strange_names_are_answered(password: str, email: str) -> None:
    assert _tries(Client(), "x", email).status_code == 200


def test_counts_are_forgotten_after_a_while(password: str) -> None:
    _wrong(3)
    SignInCount.objects.update(changed=timezone.now() - throttle.FORGOTTEN_AFTER * 2)
    _wrong(1, "else@x.org")
    assert SignInCount.objects.filter(key__startswith="account").count() == 1


@pytest.mark.parametrize(
    ("proxies", "headers", "address"),
    [
        (0, {"HTTP_X_FORWARDED_FOR": "9.9.9.9"}, "127.0.0.1"),
        (1, {"HTTP_X_FORWARDED_FOR": "9.9.9.9, 8.8.8.8"}, "8.8.8.8"),
        (2, {"HTTP_X_FORWARDED_FOR": "9.9.9.9, 8.8.8.8"}, "9.9.9.9"),
        (1, {}, "unknown"),
        (1, {"HTTP_X_FORWARDED_FOR": "nonsense"}, "unknown"),
        (0, {"REMOTE_ADDR": "2001:db8:1:2:3::4"}, "2001:db8:1:2::/64"),
        (0, {"REMOTE_ADDR": ""}, "unknown"),
    ],
)
def test_an_address_is_the_clients(settings: Any, rf: Any, proxies: int, headers: dict[str, str], address: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert throttle.address_of(rf.get("/", **headers)) == address


def test_who_was_removed_is_told_no_more_than_who_is_unknown(password: str) -> None:
    close_person(User.objects.get(username=EMAIL))
    removed, unknown = _tries(Client(), password), _tries(Client(), password, "nobody@hospital.org")
    assert removed.status_code == unknown.status_code == 200
    assert b"or the password is not right" in removed.content


def test_no_page_stays_in_a_browser_after_signing_out() -> None:
    client = Client()
    client.force_login(accounts()[Role.RADIOLOGIST])
    registered_case()
    pages = ["study", "case-list", "review-queue", "release-list", "model-list", "cohort-report", "finding-list"]
    addresses = [page_at(name) for name in pages]
    addresses += [page_at("case-page", "C0001"), reverse("home"), reverse("alive")]
    for address in addresses:
        assert client.get(address)["Cache-Control"] == "private, no-store", address
    picture = client.get(page_at("slice-picture", "C0001", "t2", 2))
    assert picture["Cache-Control"] == "private, no-cache"
    again = client.get(page_at("slice-picture", "C0001", "t2", 2), headers={"if-none-match": picture["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/nowhere")["Cache-Control"] == "private, no-store"
    assert Client().get(reverse("home"))["Cache-Control"] == "private, no-store"


class _Request:
    """As much of a request as counts."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.META, self.COOKIES = {"REMOTE_ADDR": "127.0.0.1"}, dict[str, str]()
