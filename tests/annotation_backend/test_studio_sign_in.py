"""The limit on passwords in Label Studio's own process."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from annotation_backend.labeling import studio_sign_in as limit

EMAIL, RIGHT = "anna@hospital.org", "right"


class _Door:
    """Label Studio behind the middleware, with a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.asked = 1000.0, 0
        monkeypatch.setattr(limit.time, "monotonic", lambda: self.now)
        self.middleware = limit.SignInLimit(self._answer)

    def _answer(self, request: Any) -> HttpResponse:
        self.asked += 1
        return HttpResponse(status=302 if request.POST.get("password") == RIGHT else 200)

    def tries(self, password: str, *, address: str = "10.0.0.1", email: str = EMAIL) -> int:
        fields = {"email": email, "password": password}
        request = RequestFactory(REMOTE_ADDR=address).post("/user/login/?next=/", fields)
        return int(self.middleware(request).status_code)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> _Door:
    return _Door(monkeypatch)


def test_who_tried_too_often_waits_and_the_right_password_works_after_that(door: _Door) -> None:
    assert [door.tries("wrong") for _ in range(8)] == [200] * 5 + [429] * 3
    assert door.tries(RIGHT) == 429
    assert door.asked == 5
    assert door.tries(RIGHT, address="10.0.0.2") == 302
    door.now += limit.FIRST_LOCK_SECONDS
    assert door.tries(RIGHT) == 302
    assert [door.tries("wrong") for _ in range(5)] == [200] * 5


def test_many_addresses_together_are_bounded_too(door: _Door) -> None:
    statuses = [door.tries("wrong", address=f"10.0.1.{number}") for number in range(60)]
    assert statuses == [200] * limit.TRIES_OF_AN_ACCOUNT + [429] * 10
    door.now += limit.LONGEST_LOCK_SECONDS
    assert door.tries(RIGHT, address="10.0.2.1") == 302


def test_other_requests_pass_and_memory_is_bounded(door: _Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "_MOST_KEYS", 20)
    for number in range(50):
        door.tries("wrong", email=f"p{number}@x.org")
    assert len(door.middleware._counts) == 20
    for request in (RequestFactory().get("/user/login/"), RequestFactory().post("/api/tasks/", {"email": EMAIL})):
        assert door.middleware(request).status_code == 200
