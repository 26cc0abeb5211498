"""The door asks our service: an answer counts for a second, and none, a broken one or a redirect means no."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from annotation_backend.labeling.studio_door import permits, surroundings
from annotation_backend.labeling.studio_door.permits import Permit, Permits
from annotation_backend.labeling.studio_door.refusals import Refused

NOTHING = dict.fromkeys(("may_look", "may_draw", "may_prompt", "sees_others", "sees_model"), False)
WHOLE = {
    "administrates": False,
    "projects": [1],
    "tasks": [3],
    "alone": [3],
    "permit": {**NOTHING, "may_look": True},
    "each": {},
}

Site = Callable[[str, dict[str, Any]], tuple[int, Any]]


@contextmanager
def _service(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.headers[surroundings.HEADER] == "secret"
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, found = site(self.path, asked[-1])
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(surroundings.SERVICE, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv(surroundings.SECRET, "secret")
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()


def test_an_answer_counts_for_a_second_and_for_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(permits.time, "monotonic", lambda: clock[0])
    with _service(lambda _path, _body: (200, WHOLE), monkeypatch) as asked:
        door = Permits()
        for _ in range(3):
            found = door.of("entry", 4, project=1, task=3)
        assert found.permit == Permit(may_look=True)
        assert (found.projects, found.tasks) == ({1}, {3})
        assert len(asked) == 1
        door.of("entry", 4, project=1, task=4)
        door.of("other", 4, project=1, task=3)
        assert len(asked) == 3
        clock[0] += permits.FRESH_SECONDS
        door.of("entry", 4, project=1, task=3)
        assert len(asked) == 4
    assert asked[0] == {"entry": "entry", "person": 4, "project": 1, "task": 3}


def test_who_is_signed_out_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with _service(lambda _path, _body: (403, {}), monkeypatch) as asked:
        door = Permits()
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                door.of("entry", 4)
        assert (refused.value.status, refused.value.code) == (401, "door-sign-in")
        assert len(asked) == 1
        assert door.redeemed("entry", 4) is None


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}), (401, {}), (404, {}), (302, {}), (200, b"<html>"), (200, []), (200, {}),
        (200, {**WHOLE, "permit": {}}), (200, {**WHOLE, "projects": 3}), (200, {**WHOLE, "tasks": 3}),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_lets_nobody_in(monkeypatch: pytest.MonkeyPatch, answer: tuple[int, Any]) -> None:
    with _service(lambda _path, _body: answer, monkeypatch), pytest.raises(Refused) as refused:
        Permits().of("entry", 4)
    assert (refused.value.status, refused.value.code) == (503, "door-silent")


def test_where_nobody_listens_nobody_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with _service(lambda _path, _body: (200, WHOLE), monkeypatch):
        pass
    for ask in (lambda door: door.of("entry", 4), lambda door: door.redeemed("entry", 4)):
        with pytest.raises(Refused) as refused:
            ask(Permits())
        assert refused.value.status == 503


def test_only_what_is_true_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {**WHOLE, "administrates": "yes", "permit": dict.fromkeys(NOTHING, 1)}
    with _service(lambda _path, _body: (200, words), monkeypatch):
        found = Permits().of("entry", 4, project=1, task=3)
    assert not found.administrates
    assert found.permit == Permit()


def test_a_lists_permits_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    each = {"3": {**NOTHING, "may_look": True}, "4": NOTHING}
    with _service(lambda _path, _body: (200, {**WHOLE, "each": each}), monkeypatch) as asked:
        found = Permits().of_each("entry", 4, project=1, tasks=[3, 4, 5])
        assert found == {3: Permit(may_look=True), 4: Permit()}
        assert Permits().of_each("entry", 4, project=1, tasks=[]) == {}
    assert [body["each"] for body in asked] == [[3, 4, 5]]
