"""The limit on passwords in Label Studio's own process."""

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from annotation_backend.labeling.studio_server import sign_in

EMAIL, RIGHT = "anna@hospital.org", "right"


class _Door:
    """Label Studio behind the middleware, with a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.asked = 1000.0, 0
        monkeypatch.setattr(sign_in.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(sign_in.SignInLimit, "counts", OrderedDict())
        self.middleware = sign_in.SignInLimit(self._answer)

    def _answer(self, request: Any) -> HttpResponse:
        if getattr(request, "user", None) and request.path.startswith("/user/"):
            return HttpResponse(status=302)  # who is signed in is sent on, whatever the form holds
        self.asked += 1
        if request.POST.get("password") != RIGHT:
            return HttpResponse(status=200)
        request.user = SimpleNamespace(email=EMAIL)
        return HttpResponse(status=302)

    def tries(
        self,
        password: str,
        *,
        address: str = "10.0.0.1",
        email: str = EMAIL,
        path: str = "/user/login/?next=/",
        name: str = "email",
        signed_in: str = "",
    ) -> int:
        request = RequestFactory(REMOTE_ADDR=address).post(path, {name: email, "password": password})
        request.user = SimpleNamespace(email=signed_in) if signed_in else None
        return int(self.middleware(request).status_code)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> _Door:
    return _Door(monkeypatch)


def test_who_tried_too_often_waits_and_the_right_password_works_after_that(door: _Door) -> None:
    assert [door.tries("wrong") for _ in range(8)] == [200] * 5 + [429] * 3
    assert door.tries(RIGHT) == 429
    assert door.asked == 5
    assert door.tries(RIGHT, address="10.0.0.2") == 302
    door.now += sign_in.FIRST_LOCK_SECONDS
    assert door.tries(RIGHT) == 302
    assert [door.tries("wrong") for _ in range(5)] == [200] * 5


def test_many_addresses_together_are_bounded_too(door: _Door) -> None:
    statuses = [door.tries("wrong", address=f"10.0.1.{number}") for number in range(60)]
    assert statuses == [200] * sign_in.TRIES_OF_AN_ACCOUNT + [429] * 10
    door.now += sign_in.LONGEST_LOCK_SECONDS
    assert door.tries(RIGHT, address="10.0.2.1") == 302


def test_other_requests_pass_and_memory_is_bounded(door: _Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "MOST_KEYS", 20)
    for number in range(50):
        door.tries("wrong", email=f"p{number}@x.org")
    assert len(door.middleware.counts) == 20
    for request in (RequestFactory().get("/user/login/"), RequestFactory().post("/api/tasks/", {"email": EMAIL})):
        assert door.middleware(request).status_code == 200


@pytest.mark.parametrize("path", ["/admin/login/", "/api-auth/login/", "/de/user/login/"])
def test_every_page_that_takes_a_password_counts_for_the_same_account(door: _Door, path: str) -> None:
    tries = [door.tries("wrong", path=path, name="username") for _ in range(3)]
    assert tries + [door.tries("wrong") for _ in range(3)] == [200] * 5 + [429]
    assert door.tries(RIGHT, path=path, name="username") == 429


def test_a_second_instance_for_addresses_without_a_slash_counts_with_the_first(door: _Door) -> None:
    first, door.middleware = door.middleware, sign_in.SignInLimit(door._answer)
    tries = [door.tries("wrong") for _ in range(3)]
    door.middleware = first
    assert tries + [door.tries("wrong") for _ in range(3)] == [200] * 5 + [429]


def test_wide_letters_make_no_other_account_of_one(door: _Door) -> None:
    wide = [EMAIL.replace("a", "\N{FULLWIDTH LATIN SMALL LETTER A}", count) for count in (1, 2, 3)]
    assert [door.tries("wrong", email=email) for email in (*wide, f" {EMAIL.upper()} ", EMAIL)] == [200] * 5
    assert door.tries(RIGHT) == 429


def test_a_session_of_ones_own_takes_no_try_back_of_another_account(door: _Door) -> None:
    for _ in range(4):
        door.tries("wrong")
    assert door.tries("any", signed_in="mallory@x.org") == 302
    assert door.tries("wrong") == 429
