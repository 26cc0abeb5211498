"""The Server-Timing header."""

import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client

from annotation_backend.web import timing


@pytest.mark.django_db
def test_every_answer_says_how_long_it_took(client: Client) -> None:
    for path in ("/alive", "/ml/health", "/nowhere"):
        assert re.fullmatch(r"app;dur=\d+\.\d", client.get(path)["Server-Timing"]), path


def test_the_time_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.25])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    answer = timing.server_timing(lambda _request: HttpResponse())(HttpRequest())
    assert answer["Server-Timing"] == "app;dur=250.0"
